"""Write docs/limits.md: bounds and deadlines from the code, and every fault that has a test.

python docs/generate_limits.py
"""

import csv
import importlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "limits.md"
FAULTS = ROOT / "tests" / "faults.tsv"
HEAD = """# Limits

*Reference.* What a file may contain, how long hnclip waits, and what each fault leads to.
[reliability.md](reliability.md) says what they have in common.

`python docs/generate_limits.py` writes this page from the code and `tests/faults.tsv`.
"""
BOUNDS = {
    "a line of JSONL or CSV, an entry of a JSON file of captions": "streams.jsonl:MAX_LINE_BYTES",
    "a longer line that `--on-error skip` skips": "streams.jsonl:MAX_SKIPPED_BYTES",
    "nested lists and objects in a record": "streams.records:MAX_DEPTH",
    "digits of an integer in a record": "streams.records:MAX_DIGITS",
    "a benchmark's JSON, a fitted model, unpacked": "streams.files:MAX_WHOLE_BYTES",
    "a file of words or names, unpacked": "streams.files:MAX_WORDS_BYTES",
    "a benchmark's YAML": "sources.benchmarks.vl_checklist:MAX_YAML_BYTES",
    "a caption file, the JSON of a sample in a shard": "sources.folders:MAX_CAPTION_BYTES",
    "nested folders of `data images`": "sources.folders:MAX_FOLDERS",
    "rows and columns of an array": "streams.npy:MAX_SIDE",
    "a header in a tar": "streams.tars:MAX_HEADER_BYTES",
    "an image as it is stored": "streams.images:MAX_BYTES",
    "the longer side of an image or crop to the shorter one": "streams.regions:MAX_RATIO",
    "pixels of an image": "PIL.Image:MAX_IMAGE_PIXELS",
    "pixels of a crop, which may reach beyond its image": "streams.regions:MAX_PIXELS",
    "an answer of an endpoint": "negatives.generators.endpoint:MAX_ANSWER_BYTES",
    "letters of a caption on a page": "evaluation.pages.document:MAX_LETTERS",
    "letters of a name or value in a message or table": "saying:MAX_PART",
    "letters of a line on stderr": "saying:MAX_LINE",
    "a configuration of a model": "models.loading.folder:MAX_JSON_BYTES",
    "a file of a tokenizer": "models.loading.folder:MAX_VOCABULARY_BYTES",
    "layers of a tower": "models.loading.config:MAX_LAYERS",
    "its width, and other whole numbers": "models.loading.config:MAX_WIDTH",
    "its tokens": "models.loading.config:MAX_CONTEXT_LENGTH",
    "its vocabulary": "models.loading.config:MAX_VOCABULARY",
    "a side of its images, in pixels": "models.loading.config:MAX_IMAGE_SIZE",
}
DEADLINES = {
    "the other end of a named pipe": "streams.files:OPEN_SECONDS",
    "an answer of an endpoint; `--timeout`": "negatives.generators.endpoint:TIMEOUT",
    "the processes of a `train` run to meet": "training.launch:START_SECONDS",
    "a sign of life of another process of the run": "training.watch:SILENT_SECONDS",
    "the start of a process that decodes or makes negatives": "streams.processes:START_SECONDS",
    "such a process to take or send data": "streams.processes:SOCKET_SECONDS",
    "such a process to make the negatives of up to 256 captions": "negatives.making:WORKER_SECONDS",
    "an image to be fetched and decoded by such a process": "streams.decoders:DEADLINE",
    "a download, or a block of a file behind a URL, in one attempt": "streams.remote:TIMEOUT",
    "a download, in all attempts": "streams.remote:DEADLINE",
    "the end of the process after SIGTERM": "cli:UNWIND_SECONDS",
}
UNITS = {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10}


def number(place: str) -> str:
    """What a constant of the code is, with its unit."""
    module, name = place.split(":")
    package = "" if module.startswith("PIL") else "hnclip_cli."
    value = getattr(importlib.import_module(package + module), name)
    if isinstance(value, float):
        return f"{value:g} s"
    if name.endswith("BYTES"):
        unit = next(unit for unit, size in UNITS.items() if value >= size)
        return f"{value / UNITS[unit]:g} {unit}"
    return f"{value:,}"


def table(*rows: tuple[str, ...]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]]) + "\n"


def constants(first: str, places: dict[str, str]) -> str:
    rows = [(of, number(place), f"`{place}`") for of, place in places.items()]
    return table((first, "at most", "in"), *rows)


def render() -> str:
    """The whole page."""
    with FAULTS.open(encoding="utf-8", newline="") as file:
        faults = [(row["fault"], row["result"]) for row in csv.DictReader(file, delimiter="\t")]
    return "\n".join([
        HEAD,
        "## Bounds\n", constants("of", BOUNDS),
        "## Deadlines\n", constants("waits for", DEADLINES),
        "## Faults\n", table(("fault", "result"), *faults),
    ])  # fmt: skip


if __name__ == "__main__":
    PAGE.write_text(render())
