"""Write docs/tables.md: the columns of each word table, from the comment at its head.

python docs/generate_tables.py
"""

from itertools import takewhile
from pathlib import Path

from hnclip_cli.lexicon.tables import BUILT_IN, TABLES

PAGE = Path(__file__).parent / "tables.md"
HEAD = """# Columns of the word tables

*Reference.* What each word table holds, its columns, and its first entries.
[words.md](words.md) says how you change a table.

`python docs/generate_tables.py` writes this page from the files in `hnclip_cli/lexicon/`.
"""
SHOWN = 2


def section(name: str) -> str:
    """The comment at the head of a table without its marks, and the first entries."""
    lines = (BUILT_IN / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    comment = list(takewhile(lambda line: line.startswith("#"), lines))
    entries = list(filter(None, lines[len(comment) :]))[: SHOWN + 1]
    said = [line.removeprefix("#").removeprefix(" ") for line in comment]
    shown = [line.replace("\t", " ⇥ ") for line in entries]
    return "\n".join([f"## {name}.tsv", "", "```text", *said, "", *shown, "```", ""])


def render() -> str:
    """The whole page."""
    return "\n".join([HEAD, *map(section, TABLES)])


if __name__ == "__main__":
    PAGE.write_text(render())
