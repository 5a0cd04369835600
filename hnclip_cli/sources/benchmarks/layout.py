"""One folder for all benchmarks: what goes where, what lies there, and what is missing.

DIR/NAME holds the official files of the benchmark NAME. Its images lie in DIR/NAME/images, or in
the folder that ``image_places.tsv`` names, which benchmarks of one source share.
"""

import csv
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from hnclip_cli.benchmarks import BENCHMARKS
from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.sources.benchmarks.files import Files, lacking
from hnclip_cli.sources.benchmarks.items import Item
from hnclip_cli.streams.jsonl import ErrorPolicy

MAX_NAMED = 5  # images and items that a message names


@cache
def _image_places() -> dict[str, dict[str, str]]:
    file = resources.files("hnclip_cli.sources.benchmarks") / "image_places.tsv"
    lines = file.read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    return {row.pop("name"): row for row in rows}


def where(name: str) -> dict[str, Any]:
    """What to download for a benchmark, from where, and into which folder below DIR."""
    benchmark = BENCHMARKS[name]
    own = {"into": f"{name}/images", "url": benchmark.source, "what": benchmark.images}
    return {
        "name": name,
        "items": benchmark.items,
        "files": {"into": name, "url": benchmark.source, "what": benchmark.path},
        "images": _image_places().get(name, own),
    }


def where_text(name: str) -> str:
    """The same for people."""
    facts = where(name)
    count = f", {facts['items']:,} items" if facts["items"] else ""
    lines = [f"{name}{count}; hnclip fetches nothing, get"]
    for part in (facts["files"], facts["images"]):
        lines += [f"  into DIR/{part['into']}/", f"    {part['what']}", f"    {part['url']}"]
    lines += [
        "DIR is a folder of yours for all benchmarks. Then",
        f"  hnclip data benchmark {name} DIR --check",
        f"  hnclip data benchmark {name} DIR > {name}.jsonl",
    ]
    return "\n".join(line for line in lines if line.strip()) + "\n"


def located(name: str, folder: str) -> tuple[str, str]:
    """Where the official files and the images of a benchmark lie below a folder, or should."""
    own = os.path.join(folder, name, "images")
    images = own if os.path.isdir(own) else os.path.join(folder, where(name)["images"]["into"])
    return os.path.join(folder, name), images


def present(folder: str) -> list[str]:
    """The benchmarks that have a folder of their name in this one, which must be there."""
    if not os.path.isdir(folder):
        raise HnclipError("no such folder", where=folder, hint="hnclip data benchmark NAME --where")
    return [name for name in BENCHMARKS if os.path.isdir(os.path.join(folder, name))]


@dataclass
class CheckedFiles(Files):
    """Files of a benchmark whose missing images are counted, and no error; nothing is written."""

    seen: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Images may be missing altogether."""

    def image(self, item: Item, names: tuple[str, ...]) -> str:
        self.seen.add(names[0])
        try:
            return super().image(item, names)
        except InputError:
            self.missing.add(names[0])
            return os.path.join(self.images, names[0])

    def size(self, item: Item, path: str) -> tuple[int, int]:
        return (1 << 20, 1 << 20)  # no image is opened

    def unpacked(self, item: Item, name: str, stem: str) -> str:
        self.seen.add(stem)
        return stem


def check(name: str, path: str, images: str) -> dict[str, Any]:
    """Read a benchmark as far as it is there, and say what is missing; no image is opened.

    Returns:
        ``items`` and how many are ``expected`` (None where nobody says), ``images`` that they name,
        how many are ``missing_images``, and ``problems``, a line each; none where all is there.
    """
    bad: list[str] = []
    problems: list[str] = []
    policy = ErrorPolicy("skip", lambda error: bad.append(str(error)))
    files = CheckedFiles(name, path, images, policy, problems.append)
    count = 0
    try:
        for _ in BENCHMARKS[name].read(files):
            count += 1
    except HnclipError as error:
        problems.append(str(error))
    if bad:
        problems.append(f"{len(bad)} items cannot be read: {bad[0]}")
    if files.missing:
        named = " ".join(sorted(files.missing)[:MAX_NAMED])
        more = " …" if len(files.missing) > MAX_NAMED else ""
        problems.append(
            f"{images}: {len(files.missing):,} of {len(files.seen):,} images are missing: "
            f"{named}{more}"
        )
    expected = BENCHMARKS[name].items
    if said := lacking(name, path, count):
        problems.append(said)
    return {
        "name": name,
        "path": path,
        "images_in": images,
        "items": count,
        "expected": expected,
        "images": len(files.seen),
        "missing_images": len(files.missing),
        "problems": problems,
    }


def check_text(found: dict[str, Any]) -> str:
    """The same for people: the counts, then what is missing, a line each."""
    state = "incomplete" if found["problems"] else "complete"
    there = found["images"] - found["missing_images"]
    head = f"{found['name']}: {state}, {found['items']:,} items, {there:,} images"
    return "".join(f"{line}\n" for line in [head, *(f"  {p}" for p in found["problems"])])


def read_all(name: str, folder: str, note: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """The records of a benchmark below a folder that can be had; ``note`` is told what is not."""
    path, images = located(name, folder)
    bad: list[str] = []
    policy = ErrorPolicy("skip", lambda error: bad.append(str(error)))
    count = 0
    try:
        for record in BENCHMARKS[name].read(Files(name, path, images, policy, note)):
            count += 1
            yield record
    except HnclipError as error:
        note(str(error))
    if bad:
        note(f"{len(bad):,} of {count + len(bad):,} items left out: {bad[0]}")
    if said := lacking(name, path, count):
        note(said)
