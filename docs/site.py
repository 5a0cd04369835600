"""What ``mkdocs build`` needs so that the pages read as they do on a code host.

Anchors are spelled as a code host spells them. Links to files outside of docs/, which the site does
not have, become their text.
"""

import re
from typing import Any


def anchor(heading: str, separator: str = "-") -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", separator)


def on_config(config: Any) -> Any:
    config.mdx_configs["toc"] = {"slugify": anchor}
    return config


def on_page_markdown(markdown: str, **_: Any) -> str:
    return re.sub(r"\[([^\]]+)\]\(\.\./[^)]+\)", r"\1", markdown)
