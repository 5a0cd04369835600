"""From scored records to the report: which numbers there are, and on what basis."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.evaluation import bootstrap
from hnclip_cli.evaluation.bootstrap import Counts, Resampling
from hnclip_cli.evaluation.collect import Collector, Label, Labeling
from hnclip_cli.evaluation.embeddings import EmbeddedPairs, RetrievalSet
from hnclip_cli.evaluation.metrics import NEAR, Ints, Outcomes, outcomes
from hnclip_cli.evaluation.retrieval import rank
from hnclip_cli.streams.jsonl import RecordReader
from hnclip_cli.streams.npy import NpyReader

DEFAULT_BY = ("kind", "benchmark", "subset")
RECALL_AT = (1, 5, 10)
ACCURACY = ("pair", "item")
NO_BENCHMARK = "(no benchmark)"

Report = dict[str, Any]


def evaluate(
    reader: RecordReader,
    *,
    by: Iterable[str] = DEFAULT_BY,
    image_embeddings: NpyReader | None = None,
    caption_embeddings: NpyReader | None = None,
    rounds: int = 1000,
    seed: int = 0,
) -> Report:
    """Measure scored records, and retrieval where embeddings are given.

    Args:
        reader: the records, read once; its policy decides about bad ones.
        by: fields to break the measures down by; one that no record has gives no section.
        image_embeddings: row i belongs to record i. With them ``scores`` may be missing.
        caption_embeddings: likewise; both or neither.
        rounds: of the bootstrap; 0 gives no intervals.
        seed: of the bootstrap.

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
    collector, retrieval_set = _collect(reader, [*fields, "subset"], embedded)

    resampling = Resampling(rounds, seed)
    report: Report = {
        "records": collector.num_records,
        "skipped": reader.policy.num_skipped - skipped_before,
        "unmeasured": collector.num_unmeasured,
    }
    report |= _measure(collector, fields, resampling)
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
    report["bootstrap"] = {
        "rounds": rounds,
        "level": bootstrap.LEVEL,
        "seed": seed,
        "resampled": "image groups",
    }
    report["ties"] = {"counted_as": "wrong", "near_within": NEAR}
    if "retrieval" in report:
        report["ties"]["in_retrieval"] = "ranked by index"
    return report


def _collect(
    reader: RecordReader, fields: list[str], embedded: EmbeddedPairs | None
) -> tuple[Collector, RetrievalSet | None]:
    collector = Collector(fields)
    for batch in reader.batches():
        if embedded:
            embedded.read(batch)
        for record in batch:
            try:
                if embedded:
                    embedded.check(record)
                collector.add(record, scores_expected=embedded is None)
            except InputError as error:
                reader.policy.bad(error)
                continue
            if embedded:
                embedded.add(record)
    # Lines that were no records have a row too.
    return collector, embedded.finish(reader.num_lines) if embedded else None


def _measure(collector: Collector, fields: list[str], resampling: Resampling) -> Report:
    """The sections ``accuracy``, ``matching``, ``by`` and ``averages``, where they have content."""
    accuracy: Report = {}
    matching: Report = {}
    by: dict[str, Report] = {field: {} for field in fields}
    averages: Report = {}
    clusters = collector.clusters
    for measure, observations in collector.measures().items():
        result = outcomes(observations.margin)
        cluster = clusters[observations.record]
        overall = Labeling([("all",)], np.arange(len(cluster)), np.zeros(len(cluster), np.int64))
        entry = _entries(overall, cluster, result, resampling)["all"]
        (accuracy if measure in ACCURACY else matching)[measure] = entry
        for field in by:
            labeling = collector.labeling(field, measure, observations)
            if labeling is not None:
                for label, entry in _entries(labeling, cluster, result, resampling).items():
                    by[field].setdefault(label, {})[measure] = entry
        subsets = collector.labeling("subset", measure, observations)
        if subsets is not None:
            for benchmark, average in _averages(subsets, cluster, result, resampling).items():
                averages.setdefault(benchmark, {})[measure] = average
    sections = {
        "accuracy": accuracy,
        "matching": matching,
        "by": {field: _sorted(labels) for field, labels in by.items() if labels},
        "averages": _sorted(averages),
    }
    return {name: section for name, section in sections.items() if section}


def _entries(
    labeling: Labeling, cluster: Ints, result: Outcomes, resampling: Resampling
) -> dict[str, Report]:
    """One entry for each label that has an observation."""
    chosen, label = labeling.observation, labeling.label
    num_labels = len(labeling.names)
    counts = Counts.of(cluster[chosen], label, result.correct[chosen])
    ties = np.bincount(label, weights=result.tie[chosen], minlength=num_labels)
    near = np.bincount(label, weights=result.near[chosen], minlength=num_labels)
    entries = {}
    texts = _texts(labeling.names)
    for column in np.unique(label):
        part = counts.only(column)
        text = texts[column]
        num, right = int(part.total.sum()), int(part.correct.sum())
        entries[text] = {
            "value": right / num,
            "interval": resampling.interval(part),
            "n": num,
            "num_groups": len(part.cluster),
            "num_ties": int(ties[column]),
            "num_near_ties": int(near[column]),
        }
    return entries


def _texts(names: list[Label]) -> list[str]:
    """Labels as text: the last part, with its benchmark where several have that subset."""
    uses = Counter(name[-1] for name in names)
    return [name[-1] if uses[name[-1]] == 1 else "/".join(filter(None, name)) for name in names]


def _averages(
    subsets: Labeling, cluster: Ints, result: Outcomes, resampling: Resampling
) -> dict[str, Report]:
    """For each benchmark, its items pooled (micro) and the mean of its subsets (macro)."""
    averages = {}
    benchmark_of = np.array([name[0] for name in subsets.names])
    for benchmark in np.unique(benchmark_of[subsets.label]):
        inside = benchmark_of[subsets.label] == benchmark
        chosen = subsets.observation[inside]
        names = [subsets.names[label] for label in np.unique(subsets.label[inside])]
        # Numbered by name, so that the draws do not depend on the order of the records.
        place = {name: number for number, name in enumerate(sorted(names))}
        column_of = np.array([place.get(name, -1) for name in subsets.names])
        column = column_of[subsets.label[inside]]
        correct = result.correct[chosen]
        per_subset = Counts.of(cluster[chosen], column, correct)
        right = np.bincount(column, weights=correct)
        text = str(benchmark) or NO_BENCHMARK
        pooled = Counts.of(cluster[chosen], np.zeros_like(column), correct)
        averages[text] = {
            "micro": {
                "value": float(correct.mean()),
                "interval": resampling.interval(pooled),
                "n": len(correct),
            },
            "macro over subsets": {
                "value": float((right / np.bincount(column)).mean()),
                "interval": resampling.interval(per_subset),
                "num_subsets": len(names),
            },
        }
    return averages


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
