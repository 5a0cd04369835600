"""What ``data benchmark --list`` says of each benchmark."""

from collections.abc import Iterator
from typing import Any

from hnclip_cli.benchmarks import BENCHMARKS

HEADINGS = ("NAME", "ITEMS", "METRIC", "SOURCE")


def listing() -> Iterator[dict[str, Any]]:
    """An object a benchmark: name, PATH, images, source, items, metric, aggregation."""
    for name in BENCHMARKS:
        facts = vars(BENCHMARKS[name]).items()
        yield {
            "name": name,
            **{key: value for key, value in facts if key not in ("read", "official")},
        }


def listing_table() -> str:
    """The same for people, a line a benchmark."""
    rows = [
        (b["name"], f"{b['items']:,}" if b["items"] else "–", b["metric"], b["source"])
        for b in listing()
    ]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    lines = []
    for name, items, metric, source in (HEADINGS, *rows):
        lines.append(
            f"{name:{widths[0]}}  {items:>{widths[1]}}  {metric:{widths[2]}}  {source}".rstrip()
        )
    return "\n".join(lines) + "\n"
