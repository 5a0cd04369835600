"""How much GPU memory a step takes: the step itself on ``meta``, without a GPU or weights.

What is counted is what torch's allocator would have handed out. CUDA's own context, and what the
allocator holds in reserve, are not in it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.meta import Meter, fused_attention
from hnclip_cli.models.pixels import byte_table
from hnclip_cli.streams.records import Record
from hnclip_cli.training.batches import Batch, Sample, collate, draw_slots
from hnclip_cli.training.config import NumSlots, TrainConfig
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.gradients import GradientSum
from hnclip_cli.training.objectives.hard_negatives import MOST_COSINES
from hnclip_cli.training.objectives.table import uses
from hnclip_cli.training.step import encode_images, encode_texts, forward_backward, loss_of
from hnclip_cli.training.texts import draw_texts, num_slots

T = TypeVar("T")

# cuBLAS gets a workspace of 32 MiB in each thread that multiplies: forward and backward.
WORKSPACES = 2 * 33 << 20
# Of a batch's images: those of this one, and those of the next while they are put together.
COPIES = 3


@dataclass(frozen=True)
class StepMemory:
    """Bytes on the GPU of one process, when a step takes most."""

    weights: int  # and statistics
    optimizer: int  # AdamW's two moments
    images: int  # of this batch and the next, as bytes
    step: int  # what the towers keep, the objective, gradients, and what operations need briefly

    @property
    def total(self) -> int:
        return self.weights + self.optimizer + self.images + self.step


def samples_on_meta(
    records: Iterable[Record], slots: NumSlots, config: TrainConfig
) -> Iterator[Sample]:
    """Records with their texts, and images without pixels."""
    for record in records:
        chooser = f"{config.seed}/{record.id}"
        captions, images = draw_slots(
            len(record.negatives), len(record.negative_images), slots, chooser
        )
        further = draw_texts(record, slots.sources, chooser)
        texts = [record.caption, *(record.negatives[number].caption for number in captions)]
        pixels = [torch.empty(0)] * (1 + len(images))
        yield Sample(texts, [0] * len(captions), 0, pixels, [], further)


def longest_samples(slots: NumSlots, count: int) -> list[Sample]:
    """Samples whose texts fill any context, and begin differently."""
    num_texts, kinds = 1 + slots.captions, [0] * slots.captions
    texts = [f"{number}{' a' * 300}" for number in range(count * num_texts)]
    further = {name: texts[:1] * some for name, some in num_slots(slots.sources).items()}
    return [
        Sample(texts[start : start + num_texts], kinds, 0, [torch.empty(0)], [], further)
        for start in range(0, len(texts), num_texts)
    ]


@dataclass(frozen=True)
class StepOnMeta:
    """A step on ``meta``.

    Attributes:
        clip: a model on ``meta``, with what is to be trained of it.
        slots: of the batch.
        num_ranks: how many processes share a batch.
    """

    clip: Clip
    config: TrainConfig
    slots: NumSlots
    num_ranks: int = 1

    def measure(self, samples: Sequence[Sample]) -> StepMemory:
        """Of a process that holds these samples of each batch.

        Raises:
            HnclipError: the objective or the model looks at numbers, of which there are none.
        """
        try:
            return self._measure(samples)
        except (RuntimeError, NotImplementedError) as error:
            raise HnclipError(
                "the memory of a step of this model and objective cannot be predicted",
                got=str(error).partition("\n")[0],
                hint="a number for --batch-size, and no --dry-run",
            ) from error

    def _measure(self, samples: Sequence[Sample]) -> StepMemory:
        part = self.config.micro_batch
        if not part or len(samples) <= 2 * part:
            return self._whole(samples)
        # Parts are alike, so two of them stand for all; the features of the others are added.
        two, features, objective = self._whole(samples[: 2 * part]), *self._objective(samples)
        rest = features * (len(samples) - 2 * part) // len(samples)
        step = max(two.step + rest, objective + WORKSPACES)
        if self._is_recorded(len(samples)):
            step = two.step + rest + objective
        return replace(two, images=self._images(self.batch(samples)), step=step)

    def _is_recorded(self, num_rows: int) -> bool:
        """Whether the objective becomes a CUDA graph, which keeps its memory."""
        cosines = num_rows**2 * (1 + self.slots.captions + self.slots.images)
        is_plain = not uses(self.config.weights, "tokens") and not self.slots.sources
        alone = self.num_ranks == 1 and is_plain
        return alone and cosines <= MOST_COSINES

    def batch(self, samples: Sequence[Sample]) -> Batch:
        """A batch whose texts are on the CPU; one number stands for all pixels."""
        size = self.clip.module.visual.image_size
        height, width = size if isinstance(size, tuple) else (size, size)
        if byte_table(self.clip.preprocess) is None:
            image = torch.empty(1, device="meta").expand(3, height, width)
        else:  # the processes that decode send bytes
            number = torch.empty(1, dtype=torch.uint8, device="meta")
            image = number.expand(height, width, 3)
        batch = collate(samples, self.slots, self.clip)
        return replace(
            batch,
            pixels=image.expand(len(batch), *image.shape),
            negative_pixels=image.expand(len(batch.negative_pixels), *image.shape),
        )

    def _whole(self, samples: Sequence[Sample]) -> StepMemory:
        module, batch = self.clip.module.train(), self.batch(samples)
        meter, ranks = Meter(), MetaRanks(size=self.num_ranks)
        frozen = [] if self.clip.decoder is None else self.clip.decoder.parameters()
        weights = meter.count([*module.parameters(), *module.buffers(), *frozen])
        trained = [p for p in self.clip.parameters if p.requires_grad]
        moments = [torch.empty_like(p) for p in trained for _ in range(2)]
        optimizer, thresholds = meter.count(moments), torch.zeros(1, device="meta")
        before = meter.alive
        summed = GradientSum(trained, ranks)
        with torch.random.fork_rng(devices=[]), fused_attention(), meter, summed:
            forward_backward(self.clip, batch, self.config, thresholds, ranks=ranks)
            summed.finish()
            nn.utils.clip_grad_norm_(trained, 1.0)
        module.zero_grad(set_to_none=True)
        step = meter.peak - before + WORKSPACES
        return StepMemory(weights, optimizer, self._images(batch), step)

    def _images(self, batch: Batch) -> int:
        return COPIES * sum(x.numel() * x.itemsize for x in (batch.pixels, batch.negative_pixels))

    def _objective(self, samples: Sequence[Sample]) -> tuple[int, int]:
        """Bytes of all features with their gradients, and of these together with the objective."""
        ranks, thresholds = MetaRanks(size=self.num_ranks), torch.zeros(1, device="meta")
        part, batch = slice(0, self.config.micro_batch), self.batch(samples)
        with torch.random.fork_rng(devices=[]), fused_attention(), torch.no_grad():
            few = encode_images(self.clip, batch, self.config, part)
            few |= encode_texts(self.clip, batch, self.config, part)
        meter, features = Meter(), dict[str, Tensor]()
        for name, some in few.items():
            features[name] = some.new_empty(len(batch), *some.shape[1:])
            features[name].requires_grad_(some.is_floating_point())
        size = 2 * meter.count(features.values())
        with meter:
            outcome = loss_of(features, self.clip, batch, self.config, thresholds, ranks)
            torch.autograd.backward(outcome.loss)
        self.clip.module.zero_grad(set_to_none=True)
        return size, meter.peak


@dataclass(frozen=True)
class MetaRanks(Ranks):
    """Other processes that hold as many rows as this one, and are not there."""

    def counts(self, num_rows: int) -> list[int]:
        return [num_rows] * self.size

    def gather(self, rows: Tensor, counts: list[int]) -> Tensor:
        if self.size == 1:
            return rows.detach().contiguous()
        return torch.cat([torch.empty_like(rows) for _ in range(self.size)])

    def begin_sum(self, tensor: Tensor) -> Callable[[], None]:
        return lambda: None

    def broadcast(self, facts: T) -> T:
        return facts

    def _reduce(self, tensor: Tensor, operation: object) -> Tensor:
        return tensor.detach().clone() if self.size > 1 else tensor.detach()
