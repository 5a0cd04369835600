"""Several models over the benchmarks of one folder: what data, score, eval and compare do."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hnclip_cli.errors import HnclipError
from hnclip_cli.evaluation.layouts import LAYOUTS
from hnclip_cli.evaluation.report import evaluate
from hnclip_cli.evaluation.retrieval import EmbeddedPairs
from hnclip_cli.evaluation.table import format_table
from hnclip_cli.evaluation.tabulate import tabulate
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.row_store import RowStore
from hnclip_cli.scoring.score import score
from hnclip_cli.sources.benchmarks.layout import read_all
from hnclip_cli.streams.files import open_input_file
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.streams.outputs import atomic_output
from hnclip_cli.streams.records import Record, format_record
from hnclip_cli.streams.spool import Spool

ENDINGS = {"table": "txt", "markdown": "md", "latex": "tex", "csv": "csv", "html": "html"}
EMBEDDINGS = "embeddings.sqlite"

Say = Callable[[str], None]


def bench(
    names: Iterable[str],
    folder: str,
    models: Mapping[str, Callable[[], Clip]],
    output: str,
    *,
    note: Say = lambda text: None,
    watch: Callable[[Iterable[Record]], Iterable[Record]] = lambda records: records,
    policy: ErrorPolicy | None = None,
    batch_size: int = 64,
    workers: int = 0,
    rounds: int = 1000,
    seed: int = 0,
) -> list[str]:
    """Score each benchmark with each model, and lay all numbers in one table.

    Into ``output`` go, of each model, ``NAME.jsonl`` (scored records), ``NAME.json`` and
    ``NAME.txt`` (the report), the table of all in each of its formats, and the embeddings: an image
    or caption that one benchmark had, or an earlier run, is not encoded again.

    Args:
        names: of the benchmarks; their files lie below ``folder`` as `layout.located` says.
        models: by the name that their files get; each is loaded in its turn.
        note: told of each benchmark what is missing, and how many records it gives.
        watch: is handed the records of each model while they are scored, and hands them on.
        policy: of records that cannot be scored; they are skipped by default.

    Returns:
        what was missing or broken, a line each.

    Raises:
        HnclipError: no benchmark gives a record, a model does not load, or a file is not written.
    """
    policy = policy or ErrorPolicy("skip")
    os.makedirs(output, exist_ok=True)
    with Spool() as spool:
        problems = list(_read(names, folder, spool, note))
        if not len(spool):
            raise HnclipError(
                "no benchmark to measure", where=folder, hint="hnclip data benchmark NAME --where"
            )
        for name, load in models.items():
            clip = load()
            with (
                RowStore(os.path.join(output, EMBEDDINGS), clip.settings()) as store,
                Spool() as kept,
            ):
                pairs = EmbeddedPairs()
                scored = score(
                    spool, model=clip, batch_size=batch_size, workers=workers, policy=policy,
                    store=store, see=pairs.see,
                )  # fmt: skip
                for record in watch(scored):
                    kept.add(record)
                _write_ranked(os.path.join(output, f"{name}.jsonl"), kept, pairs)
            note(f"{name}: scored")
    how: dict[str, Any] = {"rounds": rounds, "seed": seed}
    for name in models:
        report = evaluate(_scored(output, name), **how)
        _write(output, f"{name}.json", format_record(report))
        _write(output, f"{name}.txt", format_table(report).encode())
    if len(models) > 1:
        runs = [_scored(output, name) for name in models]
        table = tabulate(runs, names=list(models), **how)
        _write(output, "table.json", format_record(table))
        for layout, ending in ENDINGS.items():
            _write(output, f"table.{ending}", LAYOUTS[layout](table, False).encode())
    return problems


def _read(names: Iterable[str], folder: str, spool: Spool, note: Say) -> Iterator[str]:
    """Take the records of all benchmarks in; yields what is missing or broken."""
    for name in names:
        problems: list[str] = []
        before = len(spool)
        for fields in read_all(name, folder, problems.append):
            spool.add(Record(fields, name))
        note(f"{name}: {len(spool) - before:,} records")
        for problem in problems:
            note(f"{name}: {problem}")
            yield f"{name}: {problem}"


def _write_ranked(path: str, records: Iterable[Record], pairs: EmbeddedPairs) -> None:
    """Write the records, those that stand for queries of retrieval with their ``ranks``."""
    found: dict[int, dict[str, list[int]]] = {}
    for number, _, direction, ranks in pairs.queries():
        found.setdefault(number, {})[direction] = ranks
    with atomic_output(path) as out:
        for number, record in enumerate(records):
            if number in found:
                record["ranks"] = found[number]
            out.write(format_record(record))


def _scored(output: str, name: str) -> Iterator[Record]:
    """The records that a model's file holds."""
    path = os.path.join(output, f"{name}.jsonl")
    with open_input_file(path) as stream:
        yield from RecordReader(stream, path)


def _write(output: str, name: str, data: bytes) -> None:
    with atomic_output(os.path.join(output, name)) as out:
        out.write(data)
