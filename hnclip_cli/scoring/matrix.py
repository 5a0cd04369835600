"""The score matrix of one record."""

from typing import Any, NamedTuple

import numpy as np

from hnclip_cli.streams.records import Record


class Logits(NamedTuple):
    """How a model turns cosines into logits: ``scale`` · cosine + ``bias``."""

    scale: float
    bias: float = 0.0

    def of(self, cosines: Any) -> Any:
        return cosines * np.float32(self.scale) + np.float32(self.bias)


def cosines(
    record: Record, images: np.ndarray, captions: np.ndarray, logits: Logits | None = None
) -> np.ndarray:
    """Cosines of unit vectors, or logits, float32, (images, captions); `InputError` if not finite.

    Each cosine is computed for itself, in float32, so that the same vectors always give the
    same digits, whichever others stand beside them.
    """
    if not (np.isfinite(images).all() and np.isfinite(captions).all()):
        raise record.error(
            "the embedding is not finite",
            got="NaN or infinity in its row",
            hint="--on-error skip, if embed skipped this record",
        )
    scores: np.ndarray = np.einsum("id,cd->ic", images, captions, optimize=False)
    return logits.of(scores) if logits else scores


def in_digits(scores: np.ndarray) -> list[list[float]]:
    """The rows of a matrix as lists."""
    return [[shortest(score) for score in row] for row in scores]


def shortest(value: float | np.float32) -> float:
    """The shortest decimal that reads back as the same float32."""
    return float(str(np.float32(value)))
