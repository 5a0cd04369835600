"""The score matrix of one record."""

import numpy as np

from hnclip_cli.streams.records import Record


def add_scores(record: Record, images: np.ndarray, captions: np.ndarray) -> Record:
    """Set ``scores`` to the cosines of unit vectors, shape (images, captions).

    Each cosine is computed for itself, in float32, so that the same vectors always give the
    same digits, whichever others stand beside them.

    Raises:
        InputError: a vector is not finite, as for records that embed skipped.
    """
    if not (np.isfinite(images).all() and np.isfinite(captions).all()):
        raise record.error(
            "the embedding is not finite",
            got="NaN or infinity in its row",
            hint="--on-error skip, if embed skipped this record",
        )
    scores = np.einsum("id,cd->ic", images, captions, optimize=False)
    record["scores"] = [[_shortest(score) for score in row] for row in scores]
    return record


def _shortest(value: np.float32) -> float:
    """The shortest decimal that reads back as the same float32."""
    return float(str(value))
