"""The score matrix of one record."""

from dataclasses import dataclass

import numpy as np

from hnclip_cli.streams.records import Record


@dataclass(frozen=True)
class Logits:
    """How a model turns cosines into logits: ``scale`` · cosine + ``bias``."""

    scale: float
    bias: float = 0.0


def add_scores(
    record: Record, images: np.ndarray, captions: np.ndarray, logits: Logits | None = None
) -> Record:
    """Set ``scores`` to the cosines of unit vectors, or to logits, shape (images, captions).

    Raises:
        InputError: a vector is not finite, as for records that embed skipped.
    """
    scores = cosines(record, images, captions, logits)
    record["scores"] = [[shortest(score) for score in row] for row in scores]
    return record


def cosines(
    record: Record, images: np.ndarray, captions: np.ndarray, logits: Logits | None = None
) -> np.ndarray:
    """Cosines of unit vectors, or logits, float32, shape (images, captions).

    Each cosine is computed for itself, in float32, so that the same vectors always give the
    same digits, whichever others stand beside them.

    Raises:
        InputError: a vector is not finite.
    """
    if not (np.isfinite(images).all() and np.isfinite(captions).all()):
        raise record.error(
            "the embedding is not finite",
            got="NaN or infinity in its row",
            hint="--on-error skip, if embed skipped this record",
        )
    scores: np.ndarray = np.einsum("id,cd->ic", images, captions, optimize=False)
    if logits is None:
        return scores
    return scores * np.float32(logits.scale) + np.float32(logits.bias)


def shortest(value: np.float32) -> float:
    """The shortest decimal that reads back as the same float32."""
    return float(str(np.float32(value)))
