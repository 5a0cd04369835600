"""``--batch-size auto`` and ``--micro-batch auto``: the largest that the GPU has memory for.

What a step takes is found on ``meta``, as for ``--dry-run``. Nothing is tried on the GPU, and the
model, its optimizer and all random numbers stay as they are.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import islice

import torch

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.meta import to_meta, uncompiled
from hnclip_cli.training.batches import batch_indices
from hnclip_cli.training.config import AUTO, TrainConfig, no_auto_sizes, slots_of
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.export import load_decoder
from hnclip_cli.training.memory import StepOnMeta, samples_on_meta
from hnclip_cli.training.store import RecordStore

# Of the free memory, for what a step takes. The rest is for batches with longer texts, for kernels
# that CUDA loads on first use, and for gaps between the allocator's blocks.
SHARE = 0.92
MULTIPLE = 8  # sizes are such, where they are large enough
CLOSE = 1.02  # no larger size is looked for within this factor
FIRST = 64  # that is tried, after the smallest


def free_bytes(device: torch.device) -> int:
    """What this process can still get on a GPU; `HnclipError` for another device."""
    if device.type != "cuda":
        raise no_auto_sizes(device.type)
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


@uncompiled()
def choose_sizes(
    config: TrainConfig, clip: Clip, store: RecordStore, ranks: Ranks, note: Callable[[str], None]
) -> TrainConfig:
    """The settings with a number in place of `AUTO`, the same on all ranks.

    Args:
        clip: the model as it will be trained, on its device.
        note: called with a line on what was chosen.

    Raises:
        HnclipError: there is no GPU, or not even one pair fits.
    """
    free = free_bytes(clip.device)
    meta = replace(clip, module=to_meta(clip.module), device=torch.device("meta"))
    meta.decoder = load_decoder(config, meta)
    slots = slots_of(config, store.has_negative_images)
    finds_batch = config.batch_size == AUTO
    rows = -(-config.batch_size // ranks.size)  # of a rank

    def with_size(size: int) -> TrainConfig:
        if finds_batch:
            return replace(config, batch_size=size)
        return replace(config, micro_batch=size if size < rows else 0)

    def needs(size: int) -> int:
        """Bytes that the first batch of the run takes beside the weights."""
        settings = with_size(size)
        batch = next(batch_indices(len(store), settings.batch_size, config.seed))
        own = islice(batch, -(-settings.batch_size // ranks.size))
        samples = list(samples_on_meta((store[index] for index, _ in own), slots, settings))
        memory = StepOnMeta(meta, settings, slots, ranks.size).measure(samples)
        return memory.total - memory.weights

    unit = ranks.size if finds_batch else 1
    sizes = range(unit, (len(store) if finds_batch else rows) + 1, unit)
    # Perhaps the whole batch fits.
    size = largest(needs, SHARE * free, sizes, first=FIRST * unit if finds_batch else rows)
    if finds_batch or size < rows:
        size -= size % (MULTIPLE * unit) if size > MULTIPLE * unit else 0
    size = -int(ranks.max(torch.tensor(-size)))  # the smallest of all ranks
    flag = "--batch-size" if finds_batch else "--micro-batch"
    if not size:
        raise HnclipError(
            f"{flag} auto: not one pair fits",
            got=f"{free / 1e9:.1f} GB that are free",
            hint="another --device, --lock image, or --set lora_rank 8",
        )
    chosen = with_size(size)
    note(
        f"{flag} auto: {chosen.batch_size if finds_batch else chosen.micro_batch}; a step takes "
        f"about {needs(size) / 1e9:.1f} GB beside the weights, of {free / 1e9:.1f} GB that are free"
    )
    return chosen


def largest(needs: Callable[[int], float], budget: float, sizes: range, first: int) -> int:
    """The largest size that needs no more than the budget, or one close to it; 0 for none.

    A need should grow about linearly: each guess lies where the line through two known needs
    meets the budget.

    Args:
        sizes: from which to choose, rising.
        first: the size that is tried after the smallest.
    """
    if not sizes or (need := needs(sizes[0])) > budget:
        return 0
    fits, too_many = 0, len(sizes)  # positions
    guess = min(max(1, (first - sizes[0]) // sizes.step), too_many - 1)
    while fits < guess < too_many:
        found = needs(sizes[guess])
        slope = max(1e-9, (found - need) / (guess - fits))
        if found <= budget:
            fits, need = guess, found
        else:
            too_many = guess
        if too_many < len(sizes) and sizes[too_many] <= CLOSE * sizes[fits]:
            break
        on_line = fits + int((budget - need) / slope)
        if fits == guess and sizes[min(on_line, too_many - 1)] <= CLOSE * sizes[fits]:
            break
        guess = min(max(on_line, fits + 1), too_many - 1)
    return sizes[fits]
