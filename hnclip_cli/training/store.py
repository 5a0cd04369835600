"""Training records on disk, in any order."""

import hashlib
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.streams.images import ImageRoot, check_image
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record, as_records
from hnclip_cli.streams.spool import Spool
from hnclip_cli.training.config import TrainConfig, slots_of
from hnclip_cli.training.objectives.table import requires, uses
from hnclip_cli.training.texts import SOURCES, read_texts

if TYPE_CHECKING:
    from hnclip_cli.training.distributed import Ranks

_BLOCK_BYTES = 1 << 24


class RecordStore(Spool):
    """Records spooled to a temporary file, so that epochs can read a pipe again.

    Every record is checked on the way in: its fields, and that its image exists. Memory is 24
    bytes a record, and while reading the names of the groups.
    """

    def __init__(
        self,
        records: Iterable[Mapping[str, Any]],
        image_root: str | ImageRoot,
        policy: ErrorPolicy,
        sources: Iterable[str] = (),  # of `texts.SOURCES`, whose texts are kept
    ) -> None:
        super().__init__()
        self._sources = tuple(sources)
        self.num_with = Counter[str]()  # of each source, the records that have some
        self.image_root = image_root
        # Of each record a number that records which describe the same image share.
        self.groups = array("q")
        self.has_negative_images = False  # whether any record has some
        digest, kinds = hashlib.blake2b(digest_size=16), set[str]()
        numbers: dict[str, int] = {}
        for record in as_records(records):
            try:
                essentials, group = self._essentials(record), record.group
            except InputError as error:
                policy.bad(error)
                continue
            digest.update(self.add(essentials))
            self.groups.append(numbers.setdefault(group, len(numbers)))
            self.num_with.update(list(essentials.get("texts", ())))
            self.has_negative_images |= bool(record.negative_images)
            kinds.update(negative.kind for negative in record.negatives)
        self.kinds = sorted(kinds)  # the kinds of negatives, sorted; a kind's id is its position
        self.digest = digest.hexdigest()  # hash of what was read, the same for a file and a pipe

    @property
    def threshold_names(self) -> list[str]:
        """What each adaptive threshold is of: the kinds, and last the negative images."""
        return [*self.kinds, "negative-image"] if self.has_negative_images else self.kinds

    @classmethod
    def read(
        cls,
        records: Iterable[Mapping[str, Any]],
        config: TrainConfig,
        image_root: str | ImageRoot,
        policy: ErrorPolicy,
    ) -> "RecordStore":
        """The records that a run is made of; one that is a store stays it. Raises HnclipError."""
        if isinstance(records, RecordStore):
            return records
        sources = slots_of(config, has_negative_images=True).sources
        store = cls(records, image_root, policy, sources)
        check_records(store, config)
        return store

    @classmethod
    def shared(
        cls, read: "Callable[[], RecordStore]", image_root: str | ImageRoot, ranks: "Ranks"
    ) -> "RecordStore":
        """What rank 0 reads, on every rank; raises HnclipError where that fails."""
        store = ranks.first(read)
        if store is None:
            store = cls((), image_root, ErrorPolicy())
        names = (
            "kinds", "has_negative_images", "num_with", "digest", "source", "offsets", "lines",
            "groups",
        )  # fmt: skip
        vars(store).update(ranks.broadcast({name: getattr(store, name) for name in names}))
        store.file.flush()
        file = store.file.fileno()
        for start in range(0, store.offsets[-1], _BLOCK_BYTES):
            os.pwrite(file, ranks.broadcast(os.pread(file, _BLOCK_BYTES, start)), start)
        return store

    def _essentials(self, record: Record) -> Record:
        for name in [record.image, *record.negative_images]:
            check_image(record, name, self.image_root)
        essentials: dict[str, Any] = {
            "id": record.id,
            "image": record.image,
            "caption": record.caption,
            "negatives": [{"caption": n.caption, "kind": n.kind} for n in record.negatives],
        }
        if record.crops:
            essentials["crops"] = record["crops"]
        if record.negative_images:
            essentials["negative_images"] = record.negative_images
        if texts := read_texts(record, self._sources):
            essentials["texts"] = texts
        return Record(essentials, record.source, record.line, record.index)


def check_records(store: RecordStore, config: TrainConfig) -> None:
    """Raises HnclipError for fewer than a batch, or none with the negatives that are needed."""
    if len(store) < config.batch_size:
        raise HnclipError(
            "too few records for one batch",
            got=f"{len(store)} records",
            expected=f"at least --batch-size {config.batch_size}",
            hint=f"--batch-size {max(1, len(store))}" if len(store) else "other input",
        )
    for source in slots_of(config, store.has_negative_images).sources:
        if requires(config.weights, source) and not store.num_with[source]:
            raise HnclipError(
                f"no record has {SOURCES[source].lacking}, and --objective {config.objective} "
                "needs them",
                hint=SOURCES[source].hint,
            )
    if uses(config.weights, "negatives") and not store.kinds:
        raise HnclipError(
            f"no record has negatives, and --objective {config.objective} needs them",
            hint="hnclip negatives before this, or --objective clip",
        )
