"""The score matrix of one record."""

from typing import Any, NamedTuple

import numpy as np

from hnclip_cli.benchmarks import compares_texts
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
    """Cosines of unit vectors, or logits, float32, (images, captions); raises as `check_vectors`.

    Each cosine is computed for itself, in float32, so that the same vectors always give the
    same digits, whichever others stand beside them. With ``prompts_per_class`` a caption's cosine
    is that of its class.
    """
    check_vectors(record, images)
    check_vectors(record, captions)
    per_class = record.prompts_per_class if record.is_matching else 1
    if per_class > 1:
        captions = class_embeddings(captions, per_class)
    scores: np.ndarray = np.einsum("id,cd->ic", images, captions, optimize=False)
    scores = np.repeat(scores, per_class, axis=1)
    return logits.of(scores) if logits else scores


def check_vectors(record: Record, rows: np.ndarray) -> None:
    """Raises `InputError` where a row of (n, D) is not finite, or zero: that is no vector."""
    lengths = np.einsum("nd,nd->n", rows, rows)
    if not ((lengths > 0) & (lengths < np.inf)).all():
        raise record.error(
            "the embedding is zero" if (lengths == 0).any() else "the embedding is not finite",
            hint="--precision fp32; or --on-error skip, if embed skipped this record",
        )


def caption_scores(record: Record, captions: np.ndarray) -> dict[str, list[list[float]]]:
    """The cosines of unit vectors of captions (n, D) with each other, where the official score of
    the record's benchmark goes by them, else nothing.
    """
    name = record.get("benchmark")
    if not (record.is_matching and isinstance(name, str) and compares_texts(name)):
        return {}
    captions = captions[: len(record.matching.captions)]
    return {"caption_scores": in_digits(np.einsum("id,cd->ic", captions, captions, optimize=False))}


def class_embeddings(prompts: np.ndarray, per_class: int) -> np.ndarray:
    """The mean of each class's prompts, brought back to length 1, (classes, D).

    As open_clip's ``build_zero_shot_classifier``. Prompts (n, D) of a class lie side by side.
    """
    means: np.ndarray = prompts.reshape(-1, per_class, prompts.shape[1]).mean(axis=1)
    norms = np.linalg.norm(means, axis=1, keepdims=True)
    return means / np.where(norms > 0, norms, 1)


def in_digits(scores: np.ndarray) -> list[list[float]]:
    """The rows of a matrix as lists."""
    return [[shortest(score) for score in row] for row in scores]


def shortest(value: float | np.float32) -> float:
    """The shortest decimal that reads back as the same float32."""
    return float(str(np.float32(value)))
