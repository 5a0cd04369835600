"""From scored records to the report: which numbers there are, and on what basis."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import repeat
from typing import Any

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.evaluation import bootstrap
from hnclip_cli.evaluation.blind import BlindBaseline, captions_of
from hnclip_cli.evaluation.bootstrap import Resampling
from hnclip_cli.evaluation.margins import NEAR
from hnclip_cli.evaluation.measures import Accuracy, accuracies
from hnclip_cli.evaluation.observations import Observations
from hnclip_cli.evaluation.provenance import Provenance
from hnclip_cli.evaluation.retrieval import EmbeddedPairs
from hnclip_cli.evaluation.tally import Tally
from hnclip_cli.evaluation.tree_of_means import official_accuracies
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.npy import Array, Rows, as_rows, rows_beside
from hnclip_cli.streams.records import Record, as_records

DEFAULT_BY = ("kind", "benchmark", "subset")

Report = dict[str, Any]


def evaluate(
    records: Iterable[Mapping[str, Any]],
    *,
    by: Iterable[str] = DEFAULT_BY,
    image_embeddings: Array | Rows | str | None = None,
    caption_embeddings: Array | Rows | str | None = None,
    rounds: int = 1000,
    seed: int = 0,
    without: Iterable[str] = (),
    blind: str | BlindBaseline | None = None,
    watch: Callable[[Record], None] | None = None,
    policy: ErrorPolicy | None = None,
) -> Report:
    """Measure scored records, and retrieval where embeddings are given.

    Args:
        records: with ``scores``, read once.
        by: fields to break the measures down by; one that no record has gives no section.
        image_embeddings: shape (records, D), row i the image of record i; a string is the name
            of an NPY file. With embeddings ``scores`` may be missing.
        caption_embeddings: likewise of the captions; both or neither.
        rounds: of the bootstrap; 0 gives no intervals.
        seed: of the bootstrap.
        without: names of parts that the means of official scores leave out.
        blind: a baseline that scores texts without images, reported beside each number that it
            can reach: ``trigrams``, a causal language model by its name or folder, or your own.
        watch: called with each record that is measured.
        policy: what to do with a bad record; by default it is an error.

    Returns:
        the report, ready for JSON; docs/metrics.md defines each number.

    Raises:
        HnclipError: a bad record that the policy does not skip, embeddings that do not belong to
            the records, or nothing to measure.
    """
    policy = policy or ErrorPolicy()
    fields = list(dict.fromkeys(by))
    skipped_before = policy.num_skipped
    arrays: dict[Any, Rows] = {}
    if image_embeddings is not None and caption_embeddings is not None:
        arrays["image"] = as_rows(image_embeddings, "image embeddings")
        arrays["caption"] = as_rows(caption_embeddings, "caption embeddings")
    blind = BlindBaseline(blind) if isinstance(blind, str) else blind
    embedded = EmbeddedPairs() if arrays else None
    provenance = Provenance()
    watching = [provenance.add, *([watch] if watch else [])]
    observations = _observe(records, fields, arrays, embedded, blind, watching, policy)

    resampling = Resampling(rounds, seed)
    report: Report = {
        "run": provenance.describe(),
        "records": len(observations.clusters),
        "skipped": policy.num_skipped - skipped_before,
        "unmeasured": observations.num_unmeasured,
    }
    if observations.num_same_tokens:
        report["same_tokens"] = observations.num_same_tokens
    numbers = all_accuracies(observations, fields, without)
    others: Iterable[Accuracy | None] = repeat(None)
    if blind is not None:
        texts = blind.finish(fields)
        texts.margins.update({key: observations.margins[key] for key in observations.of_ranks})
        others = all_accuracies(texts, fields, without)
    both = zip(numbers, others, strict=blind is not None)
    entries = ((number, entry(number, resampling, other)) for number, other in both)
    report |= sections(entries, fields)
    if embedded and (recalls := embedded.recalls(resampling)):
        report["retrieval"] = recalls
    if not report.keys() & {"accuracy", "matching", "retrieval", "benchmarks"}:
        raise HnclipError(
            "nothing to measure",
            where=getattr(records, "source", "records"),
            got=f"{report['records']} record{'' if report['records'] == 1 else 's'}, "
            f"{report['unmeasured']} with nothing to compare, "
            f"{report['skipped']} skipped",
            hint="hnclip negatives and hnclip score before",
        )
    report |= basis(resampling, report)
    if "retrieval" in report:
        report["ties"]["in_retrieval"] = "ranked by index"
    if blind is not None:
        report["blind"] = blind.describe()
    return report


def _observe(
    records: Iterable[Mapping[str, Any]],
    fields: list[str],
    arrays: dict[Any, Rows],
    embedded: EmbeddedPairs | None,
    blind: BlindBaseline | None,
    watching: list[Callable[[Record], None]],
    policy: ErrorPolicy,
) -> Observations:
    tally = Tally(fields)
    # Without arrays, every record has none of their rows.
    pairs = rows_beside(records, arrays) if arrays else ((r, {}) for r in as_records(records))
    for record, rows in pairs:
        try:
            if embedded:
                embedded.check(record, rows)
            if blind:
                captions_of(record)
            tally.add(record, scores_expected=embedded is None)
        except InputError as error:
            policy.bad(error)
            continue
        if embedded:
            embedded.add(record, rows)
        if blind:
            blind.add(record)
        for watch in watching:
            watch(record)
    for query in embedded.queries() if embedded else ():
        tally.add_ranks(*query)
    return tally.finish()


def all_accuracies(
    observations: Observations, fields: list[str], without: Iterable[str] = ()
) -> Iterator[Accuracy]:
    """Every number of a report but retrieval, section by section.

    Observations of the same records, whatever their scores, give the same numbers in the same
    order, of as many margins each.
    """
    yield from accuracies(observations, fields)
    yield from official_accuracies(observations, frozenset(without))


def sections(entries: Iterable[tuple[Accuracy, Report]], fields: Iterable[str]) -> Report:
    """All sections of measures that have content, from their entries."""
    report: Report = {
        "accuracy": {},
        "matching": {},
        "by": {field: {} for field in fields},
        "averages": {},
        "benchmarks": {},
        "vl_compo": {},
    }
    for number, found in entries:
        section = report
        for key in number.path[:-1]:
            section = section.setdefault(key, {})
        section[number.path[-1]] = found
    by = {field: _sorted(labels) for field, labels in report["by"].items() if labels}
    report |= {"by": by, "averages": _sorted(report["averages"])}
    return {name: section for name, section in report.items() if section}


def basis(resampling: Resampling, found: Report | None = None) -> Report:
    """How intervals were made and ties were counted, and which intervals found have no width."""
    flat = {"without_width": list(dict.fromkeys(without_width(found or {})))}
    return {
        "bootstrap": {
            "rounds": resampling.rounds,
            "level": bootstrap.LEVEL,
            "seed": resampling.seed,
            "resampled": "image groups",
            **(flat if flat["without_width"] else {}),
        },
        "ties": {"counted_as": "wrong", "near_within": NEAR},
    }


def without_width(section: Report) -> Iterator[str]:
    """The keys of the numbers in which all image groups are alike.

    All resamplings are alike then, too, which says nothing of how sure the number is.
    """
    for of in section.values():
        if not isinstance(of, dict):
            continue
        if "intervals" in of:  # of recalls
            intervals = {of["keys"][name]: interval for name, interval in of["intervals"].items()}
        else:
            intervals = {of["key"]: of["interval"]} if {"key", "interval"} <= of.keys() else {}
        yield from (key for key, ends in intervals.items() if ends and ends[0] == ends[1])
        if not intervals:
            yield from without_width(of)


def entry(number: Accuracy, resampling: Resampling, blind: Accuracy | None = None) -> Report:
    """What the report says of one number, and of the same one by scores of texts alone.

    docs/metrics.md defines the keys.
    """
    result = number.outcomes
    found: Report = {
        "key": number.key,
        "value": number.mean(result.counted),
        "interval": number.interval(result.counted, resampling),
    }
    if number.path[0] != "averages":
        found |= {
            "n": len(number.margins),
            "num_groups": number.num_groups,
            "num_ties": int(result.tie.sum()),
            "num_near_ties": int(result.near.sum()),
        } | parts(number)
    elif number.path[-1] == "micro":
        found["n"] = len(number.margins)
    else:
        found["num_subsets"] = number.num_parts
    if blind is not None and number.is_textual:
        result = blind.outcomes
        halves = 2 * result.correct + result.tie  # a tie is half right
        between = blind.interval(halves, resampling)
        found["blind"] = {
            "value": blind.mean(halves) / 2,
            "interval": between and [bound / 2 for bound in between],
            "num_ties": int(result.tie.sum()),
        }
    return found


def parts(number: Accuracy) -> Report:
    """Of a number of the mean of twelve, how many of its parts are there."""
    if number.official_parts is None:
        return {}
    return {"parts": number.num_parts, "official_parts": number.official_parts}


def _sorted(section: Report) -> Report:
    return dict(sorted(section.items()))
