"""From scored records to the report: which numbers there are, and on what basis."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.evaluation import bootstrap
from hnclip_cli.evaluation.benchmarks import PARTS, VL_COMPO
from hnclip_cli.evaluation.blind import BlindBaseline, captions_of
from hnclip_cli.evaluation.bootstrap import Counts, Resampling
from hnclip_cli.evaluation.cell import Cell
from hnclip_cli.evaluation.cells import all_cells
from hnclip_cli.evaluation.collect import Collector
from hnclip_cli.evaluation.collected import Collected
from hnclip_cli.evaluation.embeddings import EmbeddedPairs, RetrievalSet
from hnclip_cli.evaluation.metrics import NEAR, outcomes
from hnclip_cli.evaluation.official import MEAN_OF_TWELVE
from hnclip_cli.evaluation.retrieval import rank
from hnclip_cli.streams.jsonl import RecordReader
from hnclip_cli.streams.npy import NpyReader
from hnclip_cli.streams.records import Record

DEFAULT_BY = ("kind", "benchmark", "subset")
RECALL_AT = (1, 5, 10)

Report = dict[str, Any]


def evaluate(
    reader: RecordReader,
    *,
    by: Iterable[str] = DEFAULT_BY,
    image_embeddings: NpyReader | None = None,
    caption_embeddings: NpyReader | None = None,
    rounds: int = 1000,
    seed: int = 0,
    without: Iterable[str] = (),
    blind: BlindBaseline | None = None,
    watch: Callable[[Record], None] | None = None,
) -> Report:
    """Measure scored records, and retrieval where embeddings are given.

    Args:
        reader: the records, read once; its policy decides about bad ones.
        by: fields to break the measures down by; one that no record has gives no section.
        image_embeddings: row i belongs to record i. With them ``scores`` may be missing.
        caption_embeddings: likewise; both or neither.
        rounds: of the bootstrap; 0 gives no intervals.
        seed: of the bootstrap.
        without: names of parts that the means of official scores leave out.
        blind: what text alone achieves, to stand beside each number that it could be right in.
        watch: is shown every record that counts.

    Returns:
        the report, ready for JSON; docs/eval.md defines each number.

    Raises:
        HnclipError: a bad record under ``fail``, embeddings that do not belong to the records,
            or nothing to measure.
    """
    fields = list(dict.fromkeys(by))
    skipped_before = reader.policy.num_skipped
    embedded = None
    if image_embeddings is not None and caption_embeddings is not None:
        embedded = EmbeddedPairs(image_embeddings, caption_embeddings)
    collected, retrieval_set = _collect(reader, fields, embedded, blind, watch)

    resampling = Resampling(rounds, seed)
    report: Report = {
        "records": collected.num_records,
        "skipped": reader.policy.num_skipped - skipped_before,
        "unmeasured": collected.num_unmeasured,
    }
    left_out = frozenset(without)
    entries: Iterable[tuple[Cell, Report]] = (
        (cell, entry(cell, resampling)) for cell in all_cells(collected, fields, left_out)
    )
    if blind is not None:
        entries = _beside(entries, all_cells(blind.finish(fields), fields, left_out), resampling)
    report |= sections(entries, fields)
    if retrieval_set is not None and len(retrieval_set.captions):
        report["retrieval"] = _retrieval(retrieval_set, resampling)
    if not report.keys() & {"accuracy", "matching", "retrieval"}:
        raise HnclipError(
            "nothing to measure",
            where=reader.source,
            got=f"{report['records']} record{'' if report['records'] == 1 else 's'}, "
            f"{report['unmeasured']} with nothing to tell apart, "
            f"{report['skipped']} skipped",
            hint="hnclip negatives and hnclip score before",
        )
    report |= basis(resampling)
    if "retrieval" in report:
        report["ties"]["in_retrieval"] = "ranked by index"
    if blind is not None:
        report["blind"] = blind.describe()
    return report


def _collect(
    reader: RecordReader,
    fields: list[str],
    embedded: EmbeddedPairs | None,
    blind: BlindBaseline | None,
    watch: Callable[[Record], None] | None,
) -> tuple[Collected, RetrievalSet | None]:
    collector = Collector(fields)
    for batch in filter(None, reader.batches()):
        if embedded:
            embedded.read(batch)
        for record in batch:
            try:
                if embedded:
                    embedded.check(record)
                if blind:
                    captions_of(record)
                collector.add(record, scores_expected=embedded is None)
            except InputError as error:
                reader.policy.bad(error)
                continue
            if embedded:
                embedded.add(record)
            if blind:
                blind.add(record)
            if watch:
                watch(record)
    # Lines that were no records have a row too.
    return collector.finish(), embedded.finish(reader.num_lines) if embedded else None


def sections(entries: Iterable[tuple[Cell, Report]], fields: Iterable[str]) -> Report:
    """All sections of measures that have content, from their entries."""
    report: Report = {
        "accuracy": {},
        "matching": {},
        "by": {field: {} for field in fields},
        "averages": {},
        "benchmarks": {},
        "vl_compo": {},
    }
    for cell, found in entries:
        section = report
        for key in cell.path[:-1]:
            section = section.setdefault(key, {})
        section[cell.path[-1]] = found
    by = {field: _sorted(labels) for field, labels in report["by"].items() if labels}
    report |= {"by": by, "averages": _sorted(report["averages"])}
    return {name: section for name, section in report.items() if section}


def basis(resampling: Resampling) -> Report:
    """How intervals were made and ties were counted."""
    return {
        "bootstrap": {
            "rounds": resampling.rounds,
            "level": bootstrap.LEVEL,
            "seed": resampling.seed,
            "resampled": "image groups",
        },
        "ties": {"counted_as": "wrong", "near_within": NEAR},
    }


def entry(cell: Cell, resampling: Resampling) -> Report:
    """What the report says of one number; docs/eval.md defines the keys."""
    result = outcomes(cell.margins)
    counts = Counts.of(cell.clusters, cell.columns, result.correct)
    found: Report = {
        "value": cell.mean(result.correct),
        "interval": resampling.interval(counts, cell.weights),
    }
    if cell.path[0] == "averages":
        is_micro = cell.path[-1] == "micro"
        return found | ({"n": len(cell.margins)} if is_micro else {"num_subsets": cell.num_parts})
    found |= {
        "n": len(cell.margins),
        "num_groups": len(np.unique(counts.cluster)),
        "num_ties": int(result.tie.sum()),
        "num_near_ties": int(result.near.sum()),
    }
    return found | parts(cell)


def parts(cell: Cell) -> Report:
    """Of a number of the mean of twelve, how many of its parts are there."""
    if cell.path[0] != "vl_compo":
        return {}
    name = cell.path[-1]
    official = len(VL_COMPO) if name == MEAN_OF_TWELVE else PARTS.get(name, 1)
    return {"parts": cell.num_parts, "official_parts": official}


def _beside(
    entries: Iterable[tuple[Cell, Report]], blind: Iterable[Cell], resampling: Resampling
) -> Iterator[tuple[Cell, Report]]:
    """Add to each entry that asks for a caption what text alone gets there; a tie is half right."""
    for (cell, found), other in zip(entries, blind, strict=True):
        if cell.is_textual:
            result = outcomes(other.margins)
            halves = 2 * result.correct + result.tie
            between = resampling.interval(
                Counts.of(other.clusters, other.columns, halves), other.weights
            )
            found["blind"] = {
                "value": other.mean(halves) / 2,
                "interval": between and [bound / 2 for bound in between],
                "num_ties": int(result.tie.sum()),
            }
        yield cell, found


def _retrieval(found: RetrievalSet, resampling: Resampling) -> Report:
    ranks = rank(found.images, found.captions, found.owner)
    images = np.arange(len(found.images))
    directions = {
        "image_to_text": (ranks.image_to_text, ranks.image_tied, images),
        "text_to_image": (ranks.text_to_image, ranks.text_tied, found.owner),
    }
    report: Report = {}
    for direction, (ranked, tied, cluster) in directions.items():
        hits = {f"R@{k}": ranked < k for k in RECALL_AT}
        report[direction] = {name: float(hit.mean()) for name, hit in hits.items()}
        report[direction]["intervals"] = {
            name: resampling.interval(Counts.of(cluster, np.zeros_like(cluster), hit))
            for name, hit in hits.items()
        }
        report[direction]["n"] = len(ranked)
        report[direction]["num_ties"] = int(tied.sum())
    return report


def _sorted(section: Report) -> Report:
    return dict(sorted(section.items()))
