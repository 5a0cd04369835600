"""Score records with embeddings that were made before."""

from collections.abc import Iterator

import numpy as np

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.scoring.matrix import Logits, add_scores
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.streams.npy import NpyReader
from hnclip_cli.streams.records import Record, RowsOf

Arrays = dict[RowsOf, NpyReader]


def score_with_arrays(
    reader: RecordReader, arrays: Arrays, policy: ErrorPolicy, logits: Logits | None = None
) -> Iterator[Record]:
    """Yield the records with ``scores`` added: cosines, a row an image, a column a caption.

    The arrays are read row by row beside the records: row i of the images and captions belongs
    to record i, the negatives' rows follow one another.

    Args:
        reader: the records that were embedded, all of them and in the same order.
        arrays: ``image``, ``caption`` and, for records with negatives, ``negatives``.
        policy: what to do with a bad record. Lines that are no records take up a row.
        logits: turn cosines into a model's logits.

    Raises:
        HnclipError: an array has too few or too many rows or is truncated, or the arrays have
            rows of different lengths.
        InputError: a record has negatives and there is no array for them.
    """
    widths = {of: array.shape[1] for of, array in arrays.items()}
    if len(set(widths.values())) > 1:
        raise HnclipError(
            "the arrays have rows of different lengths",
            got=", ".join(f"{of}: {width}" for of, width in widths.items()),
            hint="embedding all with one model",
        )
    next_index = 0
    for record in reader:
        _drop_rows(arrays, record.index - next_index)
        next_index = record.index + 1
        rows = {of: _unit(array.read(record.num_rows(of))) for of, array in arrays.items()}
        try:
            scored = _score(record, rows, logits)
        except InputError as error:
            policy.bad(error)
            continue
        yield scored
    _drop_rows(arrays, reader.num_lines - next_index)
    for array in arrays.values():
        array.expect_end()


def _score(record: Record, rows: dict[RowsOf, np.ndarray], logits: Logits | None) -> Record:
    captions = rows["caption"]
    if not record.is_matching and record.negatives:
        if "negatives" not in rows:
            raise record.error(
                "the record has negatives, and no embeddings of them were given",
                hint="--negative-embeddings FILE, from hnclip embed --of negatives",
            )
        captions = np.concatenate([captions, rows["negatives"]])
    record.matching  # noqa: B018  (checks what the rows stand for)
    return add_scores(record, rows["image"], captions, logits)


def _drop_rows(arrays: Arrays, num_lines: int) -> None:
    for of, array in arrays.items():
        if of != "negatives":
            array.read(num_lines)


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1; those that are so already are left as they are, digit for digit."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    far = np.abs(norms - 1) > 2e-6
    return np.where(far & (norms > 0), rows / np.where(norms > 0, norms, 1), rows)
