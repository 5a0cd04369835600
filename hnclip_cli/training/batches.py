"""This rank's rows of each batch, decoded ahead."""

from collections.abc import Iterator
from types import TracebackType

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.pixels import PixelLoader
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.threads import map_ahead
from hnclip_cli.training.config import TrainConfig
from hnclip_cli.training.data import (
    Batch,
    RecordStore,
    Sample,
    batch_indices,
    collate,
    make_sample,
    slots_of,
)
from hnclip_cli.training.distributed import Ranks


class Batches:
    """Draws batches one after the other; a bad image costs its own row only.

    Errors are kept until `check`, so that no rank leaves the others waiting.

    Args:
        clip: for its preprocessing and tokenizer.
        store: the records.
        config: the settings.
        policy: what to do with a bad image.
        ranks: each gets a contiguous part of every batch.
        start: number of the first batch.

    Leaving the ``with`` block ends the processes that decode.
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
        self._error: Exception | None = None
        self._policy = policy
        self._named: set[str] = set()
        self._num_slots = slots_of(config, store)
        size = config.batch_size
        self._first, last = size * ranks.rank // ranks.size, size * (ranks.rank + 1) // ranks.size
        self._num_rows = last - self._first
        self._num_empty, self._max_empty = 0, len(store) // size

        loader = self._loader = PixelLoader(clip, store.image_root, config.workers)

        def load(item: tuple[int, int]) -> Sample | InputError:
            try:
                return make_sample(store, *item, clip, self._num_slots, config.seed, loader)
            except InputError as error:
                return error

        indices = batch_indices(len(store), size, config.seed, start)
        own = (item for batch in indices for item in batch[self._first : last])
        self._results = map_ahead(load, own, loader.num_threads, depth=2 * size)

    def __enter__(self) -> "Batches":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._results.close()
        self._loader.__exit__(kind, error, trace)

    def draw(self) -> Batch:
        """This rank's next rows; none where nothing could be decoded or something failed."""
        samples: list[Sample] = []
        try:
            results = [next(self._results) for _ in range(self._num_rows)]
            samples = list(self._good(results))
        except Exception as error:  # kept for `check`: the other ranks have to hear of it first
            self._error = error
        return collate(samples, self._num_slots)

    @property
    def failed(self) -> bool:
        """Whether this rank cannot go on."""
        return self._error is not None

    def check(self, *, failed: bool, empty: bool) -> None:
        """Raise what has been kept, once all ranks know.

        Args:
            failed: a rank cannot go on.
            empty: no rank has a row of the batch.

        Raises:
            HnclipError: another rank failed, or no image of a whole epoch could be decoded.
            Exception: what happened on this rank.
        """
        if self._error:
            raise self._error
        if failed:
            raise HnclipError("another process of this run failed", hint="reading its message")
        self._num_empty = self._num_empty + 1 if empty else 0
        if self._num_empty > self._max_empty:
            raise HnclipError("not one image of an epoch could be decoded")

    def _good(self, results: list[Sample | InputError]) -> Iterator[Sample]:
        for result in results:
            if isinstance(result, Sample):
                yield result
            elif str(result) not in self._named:  # once a run, not once an epoch
                self._named.add(str(result))
                self._policy.bad(result)
