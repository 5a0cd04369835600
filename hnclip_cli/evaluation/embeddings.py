"""Embeddings of the records, row by row beside them, down to what retrieval needs."""

from array import array
from dataclasses import dataclass

import numpy as np

from hnclip_cli.errors import HnclipError
from hnclip_cli.evaluation.collect import cluster_key
from hnclip_cli.evaluation.metrics import Ints
from hnclip_cli.evaluation.retrieval import Features
from hnclip_cli.streams.npy import NpyReader
from hnclip_cli.streams.records import Record


@dataclass(frozen=True)
class RetrievalSet:
    """L2-normalized images (G, D), captions (N, D), and the image of each caption (N,)."""

    images: Features
    captions: Features
    owner: Ints


class EmbeddedPairs:
    """Read two arrays along with the records; memory is one row a caption and one an image.

    The records of a group share an image: the first one's row.

    Args:
        images: row i is the image of record i.
        captions: row i is the caption of record i.

    Raises:
        HnclipError: rows of different lengths.
    """

    def __init__(self, images: NpyReader, captions: NpyReader) -> None:
        if images.shape[1] != captions.shape[1]:
            raise HnclipError(
                "image and caption embeddings have rows of different lengths",
                got=f"{images.shape[1]} and {captions.shape[1]}",
                hint="embedding both with one model",
            )
        self._readers = {"image": images, "caption": captions}
        self._blocks: dict[str, tuple[Features, Ints]] = {}
        self._first = 0
        self._num_columns = images.shape[1]
        self._images, self._captions = bytearray(), bytearray()
        self._owner = array("q")
        self._groups: dict[int, int] = {}

    def read(self, batch: list[Record]) -> None:
        """Read the rows of these records, and of the lines between them that are no records."""
        self._advance(batch[-1].index + 1)

    def _advance(self, num_rows: int) -> None:
        for name, reader in self._readers.items():
            self._first = reader.next_row
            rows = reader.read(num_rows - reader.next_row)
            with np.errstate(over="ignore", invalid="ignore"):
                norms = np.linalg.norm(rows.astype(np.float64), axis=1)
                self._blocks[name] = (rows, norms)

    def check(self, record: Record) -> None:
        """
        Raises:
            InputError: the record is no pair, or a row has no direction (NaN, infinite, zero).
        """
        if record.is_matching:
            raise record.error(
                "retrieval needs records of one image and one caption",
                got='a record with "images" and "captions"',
            )
        for name, (_, norms) in self._blocks.items():
            norm = norms[record.index - self._first]
            if not (np.isfinite(norm) and norm > 0):
                raise record.error(
                    f'record "{record.id}": its {name} embedding cannot be used',
                    got=f"row {record.index} of length {norm:g}",
                    expected="finite numbers, not all zero",
                    hint="--on-error skip, or embedding it again",
                )

    def add(self, record: Record) -> None:
        """Keep the rows of a record that was checked."""
        image = self._groups.setdefault(cluster_key(record), len(self._groups))
        if len(self._images) == image * self._num_columns * 4:
            self._images += self._normalized("image", record)
        self._captions += self._normalized("caption", record)
        self._owner.append(image)

    def _normalized(self, name: str, record: Record) -> bytes:
        rows, norms = self._blocks[name]
        position = record.index - self._first
        row: Features = (rows[position] / norms[position]).astype(np.float32)
        return row.tobytes()

    def finish(self, num_lines: int) -> RetrievalSet:
        """What was kept, once all lines of the input have gone by.

        Raises:
            HnclipError: an array has more or fewer rows than the input has lines.
        """
        self._advance(num_lines)
        for reader in self._readers.values():
            reader.expect_end()
        shape = (-1, self._num_columns)
        return RetrievalSet(
            np.frombuffer(self._images, np.float32).reshape(shape),
            np.frombuffer(self._captions, np.float32).reshape(shape),
            np.array(self._owner, dtype=np.int64),
        )
