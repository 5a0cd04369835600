"""Embeddings of the records, beside them, down to what retrieval needs."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hnclip_cli.evaluation.margins import Ints
from hnclip_cli.evaluation.retrieval import Features
from hnclip_cli.evaluation.tally import cluster_key
from hnclip_cli.streams.records import Record, RowsOf

Rows = Mapping[RowsOf, Any]  # of each array the rows of one record, shape (1, D)


@dataclass(frozen=True)
class RetrievalSet:
    """L2-normalized images (G, D), captions (N, D), and the image of each caption (N,)."""

    images: Features
    captions: Features
    owner: Ints


class EmbeddedPairs:
    """Keep the rows that count: of each record its caption's, of each group its first image's."""

    def __init__(self) -> None:
        self._num_columns = 1
        self._images, self._captions = bytearray(), bytearray()
        self._owner = array("q")
        self._groups: dict[int, int] = {}

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
        for name, found in rows.items():
            norm = _norm(found)
            if not (np.isfinite(norm) and norm > 0):
                raise record.error(
                    f'record "{record.id}": its {name} embedding cannot be used',
                    got=f"row {record.index} of length {norm:g}",
                    expected="finite numbers, not all zero",
                    hint="--on-error skip, or embedding it again",
                )

    def add(self, record: Record, rows: Rows) -> None:
        """Keep the rows of a record that was checked."""
        self._num_columns = rows["image"].shape[1]
        image = self._groups.setdefault(cluster_key(record), len(self._groups))
        if len(self._images) == image * self._num_columns * 4:
            self._images += _normalized(rows["image"])
        self._captions += _normalized(rows["caption"])
        self._owner.append(image)

    def finish(self) -> RetrievalSet:
        """What was kept."""
        shape = (-1, self._num_columns)
        return RetrievalSet(
            np.frombuffer(self._images, np.float32).reshape(shape),
            np.frombuffer(self._captions, np.float32).reshape(shape),
            np.array(self._owner, dtype=np.int64),
        )


def _norm(row: Features) -> np.float64:
    with np.errstate(over="ignore", invalid="ignore"):
        norm: np.float64 = np.linalg.norm(row.astype(np.float64), axis=1)[0]
    return norm


def _normalized(row: Features) -> bytes:
    unit: Features = (row / _norm(row)).astype(np.float32)
    return unit.tobytes()
