"""``train --val``: the pipe of embed, score and eval over one file, inside of a process."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from hnclip_cli.embedding.embed import embed_blocks
from hnclip_cli.errors import Stopped
from hnclip_cli.evaluation.report import evaluate
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.encoder import Encoder
from hnclip_cli.scoring.score import score
from hnclip_cli.streams.files import open_input_file
from hnclip_cli.streams.images import ImageRoot
from hnclip_cli.streams.jsonl import RecordReader
from hnclip_cli.streams.records import RowsOf

BATCH_SIZE = 64


def make_validation(
    path: str, image_root: ImageRoot, workers: int, stop: Callable[[], bool]
) -> Callable[[Clip], dict[str, Any]]:
    """A function that measures a model: its matching, and retrieval where the records are pairs.

    The file is read here, so that its faults are found before training; records whose images
    cannot be read are an error. The function raises `Stopped` where ``stop`` says so: there may
    be less time left than it needs.

    Raises:
        HnclipError: the file cannot be read, or holds a bad record.
    """
    with open_input_file(path) as stream:
        data = stream.read()
    records = list(RecordReader(io.BytesIO(data), path))
    for record in records:
        record.matching  # noqa: B018  (checks what will be measured)
    # Retrieval pairs one image with one caption; benchmarks with several have no such pairs.
    are_pairs = not any(record.is_matching for record in records)

    def reader() -> RecordReader:
        return RecordReader(io.BytesIO(data), path)

    def rows(clip: Clip, of: RowsOf) -> np.ndarray:
        encoder = Encoder(clip, batch_size=BATCH_SIZE, image_root=image_root, workers=workers)
        found = [np.zeros((0, clip.embed_dim), np.float32)]
        for block in embed_blocks(reader(), of, encoder):
            if stop():
                raise Stopped("stopped by a signal while validating; --resume goes on")
            found.append(block.rows)
        return np.concatenate(found)

    def validate(clip: Clip) -> dict[str, Any]:
        arrays: dict[RowsOf, np.ndarray] = {
            of: rows(clip, of) for of in ("image", "caption", "negatives")
        }

        scored = score(
            reader(), image_embeddings=arrays["image"], caption_embeddings=arrays["caption"],
            negative_embeddings=arrays["negatives"],
        )  # fmt: skip
        report = evaluate(
            scored,
            image_embeddings=arrays["image"] if are_pairs else None,
            caption_embeddings=arrays["caption"] if are_pairs else None,
            rounds=0,
        )
        return _values(report)

    return validate


def _values(report: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a report without what stands behind each."""
    sections = {
        name: report[name] for name in ("accuracy", "matching", "by", "retrieval") if name in report
    }
    return {name: _value(section) for name, section in sections.items()}


def _value(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    if "value" in entry:
        return entry["value"]
    hidden = {"intervals", "n", "num_ties"}
    return {name: _value(part) for name, part in entry.items() if name not in hidden}
