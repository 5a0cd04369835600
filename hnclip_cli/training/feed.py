"""This rank's rows of each batch, made and brought to the GPU while the model is at another."""

import itertools
from dataclasses import dataclass
from threading import Lock

import torch

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.pixels import FLAT, MAX_AHEAD, PixelLoader
from hnclip_cli.streams.decoders import Wanted
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.threads import chunked, map_ahead
from hnclip_cli.training.batches import (
    Batch,
    Prepared,
    Sample,
    batch_indices,
    collate,
    filled,
    prepare_sample,
    slots_at,
)
from hnclip_cli.training.config import TrainConfig, slots_of
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.joining import JOINED
from hnclip_cli.training.store import RecordStore

PART = 128  # samples whose images go to the GPU at once


@dataclass
class Drawn:
    """A batch, and what is to be said of it."""

    batch: Batch
    problems: list[InputError]  # records whose images do not decode
    flat: list[str]  # names of images of one flat color
    num_negatives: int  # that were drawn, those without a place in the batch too
    error: Exception | None  # why there is no more
    is_there: torch.cuda.Event | None  # once its images are on the GPU


class Batches:
    """Draws batches one after the other; a bad image costs its own row only.

    A thread makes the next batch and brings its images to the GPU while the model is at one.
    Each rank gets a contiguous part of every batch, from number ``start`` on. Errors are kept
    until `check`, so that no rank leaves the others waiting. Leaving the ``with`` block ends the
    processes that decode.
    """

    def __init__(
        self,
        clip: Clip,
        store: RecordStore,
        config: TrainConfig,
        policy: ErrorPolicy,
        ranks: Ranks,
        start: int,
    ) -> None:
        self.error: Exception | None = None  # this rank cannot go on
        self._clip, self._policy = clip, policy
        self._named: set[str] = set()
        self._slots = slots = slots_of(config, store.has_negative_images)
        size = config.batch_size
        first, last = size * ranks.rank // ranks.size, size * (ranks.rank + 1) // ranks.size
        self._num_rows = last - first
        self._num_negatives = self._num_alike = 0
        self._num_empty, self._max_empty = 0, len(store) // size

        self._numbers = itertools.count(start)

        def prepare(item: tuple[int, int, int]) -> tuple[Prepared, list[Wanted]]:
            index, epoch, number = item
            sample, wanted = prepare_sample(
                store, index, epoch, slots_at(slots, number), config.seed
            )
            return (sample, wanted), wanted

        indices = batch_indices(len(store), size, config.seed, start)
        own = (
            (*item, number)
            for number, batch in enumerate(indices, start)
            for item in batch[first:last]
        )
        depth = min(2 * size, MAX_AHEAD)
        held = (depth + PART) * (1 + slots.images + (JOINED in slots.sources))
        self._loader = PixelLoader(
            clip, store.image_root, config.workers, held, config.image_cache << 20
        )
        self._loaded = self._loader.ahead(own, prepare, depth)
        is_cuda = clip.device.type == "cuda"
        self._stream = torch.cuda.Stream(clip.device) if is_cuda else None  # type: ignore[no-untyped-call]
        self._is_making = Lock()
        # With two, one is begun while the one before is used.
        self._drawn = map_ahead(self._make, itertools.repeat(None), min(1, config.workers), depth=2)

    def __enter__(self) -> "Batches":
        return self

    def __exit__(self, *details: object) -> None:
        self._drawn.close()
        self._loader.__exit__(*details)  # whoever waits for an image gets an error
        with self._is_making:
            self._loaded.close()

    def draw(self) -> Batch:
        """This rank's next rows; none where nothing could be decoded or something failed."""
        drawn = next(self._drawn)
        self.error = self.error or drawn.error
        batch = drawn.batch
        if drawn.is_there:
            stream = torch.cuda.current_stream(self._clip.device)
            stream.wait_event(drawn.is_there)
            for images in (batch.pixels, batch.negative_pixels):
                if images.is_cuda:  # else its memory would be free for the next batch
                    images.record_stream(stream)
        self._num_negatives += drawn.num_negatives
        self._num_alike += drawn.num_negatives - len(batch.negatives)
        for name in drawn.flat:
            if self._is_new(name):
                self._policy.odd(FLAT, name)
        try:
            for problem in drawn.problems:
                if self._is_new(str(problem)):
                    self._policy.bad(problem)
        except InputError as error:  # the other ranks have to hear of it first
            self.error = error
        return batch

    def _is_new(self, name: str) -> bool:
        """Whether something is named for the first time: once a run, not once an epoch."""
        is_new = name not in self._named
        self._named.add(name)
        return is_new

    def _make(self, _: None) -> Drawn:
        samples: list[Sample] = []
        problems: list[InputError] = []
        error: Exception | None = None
        with self._is_making, torch.cuda.stream(self._stream):
            try:
                for part in chunked(itertools.islice(self._loaded, self._num_rows), PART):
                    found = [filled(*prepared, images) for prepared, images in part]
                    problems += [one for one in found if isinstance(one, InputError)]
                    samples += self._on_device([one for one in found if isinstance(one, Sample)])
            except Exception as problem:
                error = problem
            batch = collate(samples, slots_at(self._slots, next(self._numbers)), self._clip)
            is_there = self._stream.record_event() if self._stream else None
        flat = [name for sample in samples for name in sample.flat]
        num_negatives = sum(len(sample.kinds) for sample in samples)
        return Drawn(batch, problems, flat, num_negatives, error, is_there)

    def _on_device(self, samples: list[Sample]) -> list[Sample]:
        """On a GPU the samples with their images there; else as they are."""
        images = [image for sample in samples for image in sample.images]
        if self._stream and images:
            rows = iter(self._clip.stack(images).unbind())
            for sample in samples:
                sample.images = list(itertools.islice(rows, len(sample.images)))
        return samples

    def notes(self) -> list[str]:
        """A line where negatives were left out that are their captions to the model."""
        if not self._num_alike:
            return []
        share = f"{self._num_alike} of {self._num_negatives} negatives that were drawn"
        return [f"{share} have the same tokens as their captions, and were left out"]

    def check(self, *, failed: bool, empty: bool) -> None:
        """Raise what was kept, once all ranks know; `HnclipError` after an epoch of bad images."""
        if self.error:
            raise self.error
        if failed:
            raise HnclipError(
                "another process of this run failed", hint="reading the message of that process"
            )
        self._num_empty = self._num_empty + 1 if empty else 0
        if self._num_empty > self._max_empty:
            raise HnclipError("not one image of an epoch could be decoded")
