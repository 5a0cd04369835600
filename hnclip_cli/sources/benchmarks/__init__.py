"""Readers of benchmarks: a file for each form of item, with the official scores beside them."""

from collections.abc import Callable, Iterator
from typing import Any

from hnclip_cli.benchmarks import BENCHMARKS
from hnclip_cli.errors import HnclipError
from hnclip_cli.sources.benchmarks.files import Files
from hnclip_cli.streams.files import alike
from hnclip_cli.streams.jsonl import ErrorPolicy


def read_benchmark(
    name: str,
    path: str,
    images: str,
    *,
    templates: str = "photo",
    policy: ErrorPolicy | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Iterator[dict[str, Any]]:
    """The records of a benchmark's official files, in the official order.

    Args:
        name: of the benchmark, one of `BENCHMARKS`.
        path: one official file, or the folder that holds them.
        images: the folder of the images.
        templates: prompts of imagefolder, ``photo`` or open_clip's ``simple`` or ``openai``.
        policy: what a bad item does; by default it ends the reading.
        note: receives what is worth knowing though it is no error, as absent files.

    Raises:
        HnclipError: no such benchmark, or files that are not there or are damaged; a bad item
            unless the policy skips it.
    """
    if name not in BENCHMARKS:
        raise HnclipError(
            f"no benchmark {name!r}", expected=f"one of: {', '.join(BENCHMARKS)}",
            hint=alike(name, BENCHMARKS),
        )  # fmt: skip
    files = Files(name, path, images, policy or ErrorPolicy(), note, templates=templates)
    return BENCHMARKS[name].read(files)


def listing() -> Iterator[dict[str, Any]]:
    """What ``--list`` says: of each benchmark name, path, images, source, items, metric, …"""
    for name, benchmark in BENCHMARKS.items():
        facts = {"name": name} | vars(benchmark)
        yield {key: fact for key, fact in facts.items() if key not in ("read", "official")}


def listing_table() -> str:
    """The same for people, a line a benchmark."""
    rows = [("NAME", "ITEMS", "METRIC", "SOURCE")]
    for b in listing():
        rows.append((b["name"], f"{b['items']:,}" if b["items"] else "–", b["metric"], b["source"]))
    left, right, middle, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
    return "".join(
        f"{name:{left}}  {items:>{right}}  {metric:{middle}}  {source}".rstrip() + "\n"
        for name, items, metric, source in rows
    )
