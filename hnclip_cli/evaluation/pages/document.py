"""One HTML file that needs nothing else, and may request nothing else."""

import base64
import hashlib
import html
import json
import unicodedata
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Any

# Of a text that is shown. A page is looked at: nobody reads further.
MAX_LETTERS = 2_000
# What turns the direction of all that follows, so that a text can look like another one.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def document(
    title: str,
    body: str,
    data: dict[str, Any],
    *,
    styles: Sequence[str],
    scripts: Sequence[str],
    pictures: Iterable[str | None] = (),
    may_link: bool = False,
) -> str:
    """A whole page: a body of ours, data for our scripts, and pictures.

    Args:
        title: of the tab; any text.
        body: HTML, in which all that is not ours is escaped.
        data: what the scripts read from the element ``data``; they show it as text only.
        styles: names of files in ``assets``.
        scripts: likewise, in the order in which they run.
        pictures: addresses of pictures, which scripts know by their number, or None. They stand
            at the end: a browser shows the rest before it has read them.
        may_link: whether images may come from beside the page.
    """
    style, script = ("\n".join(map(asset, names)) for names in (styles, scripts))
    sources = "data: 'self' file:" if may_link else "data:"
    policy = (
        f"default-src 'none'; img-src {sources}; base-uri 'none'; form-action 'none'; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    )
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{html.escape(visible(title))}</title>",
        f"<style>{style}</style>\n</head>\n<body>",
        body,
        f'<script type="application/json" id="data">{in_script(data)}</script>',
        f"<script>{script}</script>",
    ]
    for number, address in enumerate(pictures):
        if address is not None:
            parts.append(f'<script type="text/plain" id="picture-{number}">{address}</script>')
    return "\n".join([*parts, "</body>\n</html>\n"])


def in_script(data: Any) -> str:
    """JSON that can stand in a script element: nothing in it ends the element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    # Half a character is no UTF-8.
    return text.encode("utf-8", "replace").decode()


def asset(name: str) -> str:
    """A file of the folder ``assets``."""
    return (resources.files(__package__) / "assets" / name).read_text(encoding="utf-8")


def visible(text: str) -> str:
    """A text as a page shows it: cut, and with escapes for what would be obeyed unseen."""
    cut = text if len(text) <= MAX_LETTERS else text[:MAX_LETTERS] + "…"
    if cut.isascii() and cut.isprintable():
        return cut
    return "".join(map(_letter, cut))


def _letter(letter: str) -> str:
    if letter in _TURNING or (unicodedata.category(letter) == "Cc" and not letter.isspace()):
        return repr(letter)[1:-1]
    return " " if letter.isspace() else letter


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
