"""Embeddings of the records, beside them, down to what retrieval needs."""

from array import array
from collections.abc import Mapping

import numpy as np

from hnclip_cli.evaluation.margins import Ints
from hnclip_cli.evaluation.retrieval import Features
from hnclip_cli.evaluation.tally import cluster_key
from hnclip_cli.streams.npy import Array
from hnclip_cli.streams.records import Record, RowsOf

Rows = Mapping[RowsOf, Array]  # of each array the rows of one record, shape (1, D)


class EmbeddedPairs:
    """Keep the rows that count: of each record its caption's, of each group its first image's."""

    def __init__(self) -> None:
        self._images, self._captions = bytearray(), bytearray()
        self._owner = array("q")
        self._groups: dict[int, int] = {}

    @property
    def owner(self) -> Ints:
        """The image of each caption, shape (N,)."""
        return np.array(self._owner, dtype=np.int64)

    @property
    def images(self) -> Features:
        """L2-normalized, shape (G, D)."""
        return np.frombuffer(self._images, np.float32).reshape(len(self._groups), -1)

    @property
    def captions(self) -> Features:
        """L2-normalized, shape (N, D)."""
        return np.frombuffer(self._captions, np.float32).reshape(len(self._owner), -1)

    def check(self, record: Record, rows: Rows) -> None:
        """
        Raises:
            InputError: the record is no pair, or a row has no direction (NaN, infinite, zero).
        """
        if record.is_matching:
            raise record.error(
                "retrieval needs records of one image and one caption",
                got='a record with "images" and "captions"',
            )
        for name, row in rows.items():
            norm = _norm(row)
            if not (np.isfinite(norm) and norm > 0):
                raise record.error(
                    f'record "{record.id}": its {name} embedding cannot be used',
                    got=f"row {record.index} of length {norm:g}",
                    expected="finite numbers, not all zero",
                    hint="--on-error skip, or embedding it again",
                )

    def add(self, record: Record, rows: Rows) -> None:
        """Keep the rows of a record that was checked."""
        group = cluster_key(record)
        if group not in self._groups:
            self._groups[group] = len(self._groups)
            self._images += _normalized(rows["image"])
        self._captions += _normalized(rows["caption"])
        self._owner.append(self._groups[group])


def _norm(row: Array) -> np.float64:
    with np.errstate(over="ignore", invalid="ignore"):
        norm: np.float64 = np.linalg.norm(row.astype(np.float64), axis=1)[0]
    return norm


def _normalized(row: Array) -> bytes:
    unit: Features = (row / _norm(row)).astype(np.float32)
    return unit.tobytes()
