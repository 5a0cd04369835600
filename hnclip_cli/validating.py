"""Measuring a model while it is trained: what embed, score and eval find, as plain numbers."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, get_args

from hnclip_cli.embedding.embed import embed
from hnclip_cli.errors import Stopped
from hnclip_cli.evaluation.report import evaluate
from hnclip_cli.models.clip import Clip
from hnclip_cli.scoring.score import score
from hnclip_cli.streams.images import ImageRoot
from hnclip_cli.streams.records import Record, RowsOf, as_records


def validation(
    records: Iterable[Mapping[str, Any]],
    *,
    image_root: str | ImageRoot = ".",
    workers: int = 0,
    stop: Callable[[], bool] = lambda: False,
) -> Callable[[Clip], dict[str, Any]]:
    """Make the ``validate`` of `train`: matching, and retrieval if the records are pairs.

    The records are read and checked here (`InputError`), and kept. The function raises `Stopped`
    when ``stop`` returns true.
    """
    kept = list(as_records(records))
    for record in kept:
        record.matching  # noqa: B018  (checks what will be measured)
    # Retrieval pairs one image with one caption; benchmarks with several have no such pairs.
    are_pairs = not any(record.is_matching for record in kept)

    def until_stopped() -> Iterator[Record]:
        for record in kept:
            if stop():
                raise Stopped("stopped by a signal while validating; --resume goes on")
            yield record

    def validate(clip: Clip) -> dict[str, Any]:
        images, captions, negatives = (
            embed(until_stopped(), of, model=clip, image_root=image_root, workers=workers)
            for of in get_args(RowsOf)
        )
        pairs: dict[str, Any] = {"image_embeddings": images, "caption_embeddings": captions}
        scored = score(kept, **pairs, negative_embeddings=negatives)
        report = evaluate(scored, **(pairs if are_pairs else {}), rounds=0)
        sections = ("accuracy", "matching", "by", "retrieval")
        return {name: _value(report[name]) for name in sections if name in report}

    return validate


def _value(entry: Any) -> Any:
    """The numbers of a section without what stands behind each."""
    if not isinstance(entry, dict):
        return entry
    if "value" in entry:
        return entry["value"]
    hidden = {"intervals", "keys", "n", "num_ties"}
    return {name: _value(part) for name, part in entry.items() if name not in hidden}
