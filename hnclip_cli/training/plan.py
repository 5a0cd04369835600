"""What a run would cost, before anything is loaded (``--dry-run``)."""

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from hnclip_cli.models.load import clip_on_meta
from hnclip_cli.models.meta import fused_attention, uncompiled
from hnclip_cli.streams.records import Record, as_records
from hnclip_cli.training.batches import Batch, Sample
from hnclip_cli.training.config import TrainConfig, slots_of
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.export import adapt, keeps_copy, load_decoder
from hnclip_cli.training.loop import count_steps
from hnclip_cli.training.memory import StepOnMeta, longest_samples, samples_on_meta
from hnclip_cli.training.objectives.table import uses
from hnclip_cli.training.step import encode_images, encode_texts, loss_of
from hnclip_cli.training.texts import with_texts


@uncompiled()
def estimate(
    config: TrainConfig,
    model: str,
    records: Iterable[Mapping[str, Any]] | None,
    *,
    pretrained: str | None = None,
    preprocess_of: str | None = None,
    precision: str = "bf16",
) -> dict[str, Any]:
    """The resolved settings with the work and the memory of a step; nothing is loaded for it.

    The step is run on ``meta``, with the texts of a batch drawn from the records. Memory is what
    torch's allocator would hand out on one GPU; FLOPs count a multiplication and an addition as
    two.

    Args:
        model, pretrained, preprocess_of: as `load_clip` takes them.
        records: counted, and a batch of them tokenized; None where they are not to be read, which
            takes texts of full length and cannot tell steps from epochs.
        precision: ``fp32`` or ``bf16``, of the towers.

    Raises:
        HnclipError: there is no such model, or it cannot be trained so.
    """
    clip = clip_on_meta(
        model, pretrained, preprocess_of=preprocess_of, precision=precision,
        sigmoid=uses(config.weights, "bias"),
    )  # fmt: skip
    parameters = sum(p.numel() for p in clip.module.parameters())
    of_images = sum(p.numel() for p in clip.module.visual.parameters())
    adapt(clip.module, config)
    clip.decoder = load_decoder(config, clip)
    count, drawn = _draw(records or (), config.batch_size, config.seed)
    slots = slots_of(config, any(record.negative_images for record in drawn))
    drawn = [with_texts(record, slots.sources) for record in drawn]
    step = StepOnMeta(clip, config, slots)
    size = config.batch_size
    samples = list(samples_on_meta(drawn, slots, config)) or longest_samples(slots, size)
    samples = (samples * (size // len(samples) + 1))[:size]
    memory, flops = step.measure(samples), count_flops(step, samples)
    weights = memory.weights + (4 * parameters if keeps_copy(config) else 0)
    num_steps = count_steps(config, count) if records is not None or not config.epochs else None
    return {
        "config": config.resolved(),
        "precision": precision,
        "steps": num_steps,
        "records_seen": num_steps * config.batch_size if num_steps else None,
        "parameters": {
            "image": of_images,
            "text": parameters - of_images,
            "trained": sum(p.numel() for p in clip.module.parameters() if p.requires_grad),
        },
        "tokens_per_text": round(_mean_tokens(step.batch(samples)), 1),
        "flops_per_step": flops,
        "flops_share": {name: round(n / sum(flops.values()), 4) for name, n in flops.items()},
        "memory_bytes": {
            "weights": weights,
            "optimizer": memory.optimizer,
            "images": memory.images,
            "step": memory.step,
            "total": weights + memory.total - memory.weights,
        },
    }


def count_flops(step: StepOnMeta, samples: Sequence[Sample]) -> dict[str, int]:
    """FLOPs of a step: those of each tower, forward and backward, and those of the objective."""
    clip, config, batch = step.clip, step.config, step.batch(samples)
    twice = 0 < config.micro_batch < len(batch)  # the forward pass
    flops, features = dict[str, int](), dict[str, torch.Tensor]()
    for name, encode in (("image", encode_images), ("text", encode_texts)):
        forward, backward = FlopCounterMode(display=False), FlopCounterMode(display=False)
        with fused_attention(), forward:
            found = encode(clip, batch, config, slice(0, len(batch)))
        outputs = [feature.sum() for feature in found.values() if feature.requires_grad]
        with backward:
            torch.autograd.backward(outputs)
        passes = 2 if twice and outputs else 1
        flops[name] = passes * forward.get_total_flops() + backward.get_total_flops()
        features |= {
            name: feature.detach().requires_grad_(feature.is_floating_point())
            for name, feature in found.items()
        }
    with FlopCounterMode(display=False) as counter:
        outcome = loss_of(features, clip, batch, config, torch.zeros(1, device="meta"), Ranks())
        torch.autograd.backward(outcome.loss)
    return flops | {"loss": counter.get_total_flops()}


def _draw(records: Iterable[Mapping[str, Any]], size: int, seed: int) -> tuple[int, list[Record]]:
    """The number of records, and so many of them drawn evenly (Vitter's algorithm R, 1985)."""
    generator, drawn, count = random.Random(seed), list[Record](), 0
    for record in as_records(records):
        place = generator.randrange(count + 1) if count >= size else count
        drawn[place : place + 1] = [record] if place < size else drawn[place : place + 1]
        count += 1
    return count, drawn


def _mean_tokens(batch: Batch) -> float:
    further = (texts.tokens for texts in batch.further.values())
    tokens = torch.cat([batch.captions, batch.negatives, *further])
    return float((tokens != 0).sum(dim=1).float().mean())
