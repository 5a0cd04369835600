"""HTML that cannot be forgotten to escape: text becomes markup only through `el`."""

import html
from collections.abc import Iterable

VOID = frozenset(("img", "input", "meta"))


class Markup(str):
    """Text that is HTML already."""


def el(name: str, /, *children: object, **attributes: object) -> Markup:
    """One element: strings among the children are escaped, None is left out, lists are joined.

    Attributes lose a trailing underscore and get dashes for the others; True stands alone,
    False and None are left out.
    """
    opening = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        opening.append(key if value is True else f'{key}="{html.escape(str(value))}"')
    start = f"<{' '.join(opening)}>"
    return Markup(start if name in VOID else f"{start}{joined(children)}</{name}>")


def joined(children: Iterable[object]) -> Markup:
    """Several pieces after one another, each escaped unless it is markup."""
    return Markup("".join(map(_text, children)))


def _text(child: object) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, list | tuple):
        return joined(child)
    return html.escape(str(child))
