"""Training records on disk, in any order, and the batches made of them."""

import hashlib
import os
import random
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from hnclip_cli.errors import InputError
from hnclip_cli.models.clip import Clip
from hnclip_cli.streams.images import load_image
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record, format_record, parse_record


class RecordStore:
    """Records spooled to a temporary file, so that epochs can read a pipe again.

    Every record is checked on the way in: its fields, and that its image exists. Memory is 24
    bytes a record, and while reading the names of the groups.

    Args:
        records: with ``image``, ``caption`` and perhaps ``negatives``.
        image_root: where relative image paths start.
        policy: what to do with a bad record.

    Attributes:
        kinds: the kinds of negatives, sorted; a kind's id is its position.
        digest: hash of what was read, the same for a file and a pipe.
    """

    def __init__(self, records: Iterable[Record], image_root: str, policy: ErrorPolicy) -> None:
        self._file = tempfile.TemporaryFile()
        self._offsets = array("q", [0])
        self._lines = array("q")
        self._source = "-"
        self.image_root = image_root
        digest = hashlib.blake2b(digest_size=16)
        kinds: set[str] = set()
        groups: dict[str, int] = {}
        self._groups = array("q")
        for record in records:
            try:
                line = self._essentials(record)
            except InputError as error:
                policy.bad(error)
                continue
            self._file.write(line)
            digest.update(line)
            self._offsets.append(self._offsets[-1] + len(line))
            self._lines.append(record.line)
            self._source = record.source
            self._groups.append(groups.setdefault(record.group, len(groups)))
            kinds.update(negative.kind for negative in record.negatives)
        self._file.flush()
        self.kinds = sorted(kinds)
        self.digest = digest.hexdigest()

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, index: int) -> Record:
        start, stop = self._offsets[index], self._offsets[index + 1]
        line = os.pread(self._file.fileno(), stop - start, start)
        return parse_record(line, self._source, self._lines[index], index)

    def group(self, index: int) -> int:
        """A number shared by the records that describe the same image."""
        return self._groups[index]

    def _essentials(self, record: Record) -> bytes:
        path = os.path.join(self.image_root, record.image)
        if "://" in record.image or not os.path.exists(path):
            load_image(record, record.image, self.image_root)  # says what is wrong
        return format_record(
            {
                "id": record.id,
                "image": record.image,
                "caption": record.caption,
                "negatives": [
                    {"caption": negative.caption, "kind": negative.kind}
                    for negative in record.negatives
                ],
            }
            | ({"crops": record["crops"]} if record.crops else {})
        )


@dataclass
class Sample:
    """One pair with its negatives, as tensors."""

    pixels: Tensor  # (3, height, width)
    caption: Tensor  # (context,)
    negatives: list[Tensor]  # up to K of (context,)
    kinds: list[int]
    group: int


@dataclass
class Batch:
    """B pairs with K negative slots each; negatives are listed without the empty slots."""

    pixels: Tensor  # (B, 3, height, width)
    captions: Tensor  # (B, context)
    negatives: Tensor  # (number of valid slots, context), in row-major order of the mask
    mask: Tensor  # (B, K) bool
    kinds: Tensor  # (B, K) int64, 0 where invalid
    groups: Tensor  # (B,) int64


def make_sample(
    store: RecordStore, index: int, epoch: int, clip: Clip, num_slots: int, seed: int
) -> Sample:
    """Decode and tokenize one record; the choice of negatives depends on it, seed and epoch only.

    Raises:
        InputError: the image does not decode.
    """
    record = store[index]
    pixels = clip.preprocess(load_image(record, record.image, store.image_root))
    negatives = record.negatives
    if len(negatives) > num_slots:
        chooser = random.Random(f"{seed}/{epoch}/{record.id}")
        chosen = sorted(chooser.sample(range(len(negatives)), num_slots))
        negatives = [negatives[position] for position in chosen]
    tokens = clip.tokenize([record.caption, *(negative.caption for negative in negatives)])
    kinds = [store.kinds.index(negative.kind) for negative in negatives]
    return Sample(pixels, tokens[0], list(tokens[1:]), kinds, store.group(index))


def collate(samples: list[Sample], num_slots: int) -> Batch:
    mask = torch.zeros(len(samples), num_slots, dtype=torch.bool)
    kinds = torch.zeros(len(samples), num_slots, dtype=torch.int64)
    for row, sample in enumerate(samples):
        mask[row, : len(sample.kinds)] = True
        kinds[row, : len(sample.kinds)] = torch.tensor(sample.kinds, dtype=torch.int64)
    captions = torch.stack([sample.caption for sample in samples])
    negatives = [tokens for sample in samples for tokens in sample.negatives]
    return Batch(
        pixels=torch.stack([sample.pixels for sample in samples]),
        captions=captions,
        negatives=torch.stack(negatives) if negatives else captions[:0],
        mask=mask,
        kinds=kinds,
        groups=torch.tensor([sample.group for sample in samples]),
    )


def epoch_order(size: int, epoch: int, seed: int) -> list[int]:
    """The records' order in an epoch."""
    order = list(range(size))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return order


def batch_indices(size: int, batch_size: int, seed: int) -> Iterator[list[tuple[int, int]]]:
    """Batches of (record, epoch) for ever; the rest of an epoch that fills no batch is left out."""
    epoch = 0
    while True:
        order = epoch_order(size, epoch, seed)
        for start in range(0, size - batch_size + 1, batch_size):
            yield [(index, epoch) for index in order[start : start + batch_size]]
        epoch += 1
