"""The training loop, read from top to bottom."""

import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.pixels import PixelLoader
from hnclip_cli.streams.ahead import map_ahead
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.training.config import TrainConfig
from hnclip_cli.training.data import (
    Batch,
    RecordStore,
    Sample,
    batch_indices,
    collate,
    make_sample,
)
from hnclip_cli.training.objectives.hard_negatives import Objective, hard_negative_objective
from hnclip_cli.training.optimizer import clamp_logit_scale, lr_factor, make_optimizer

Metrics = dict[str, Any]
Save = Callable[[int, dict[str, float]], None]


def train(
    clip: Clip, store: RecordStore, config: TrainConfig, save: Save, policy: ErrorPolicy
) -> Iterator[Metrics]:
    """Train in place, yielding metrics every ``log_every`` steps and at the last.

    Args:
        clip: the model; its weights are changed.
        store: the records.
        config: the settings.
        save: called with the step and the thresholds by kind, at checkpoints and at the end.
        policy: what to do with a record whose image does not decode.

    Raises:
        HnclipError: too few records for a batch, or a loss that is not finite.
        InputError: a bad image, where the policy is to fail.
    """
    if len(store) < config.batch_size:
        raise HnclipError(
            "too few records for one batch",
            got=f"{len(store)} records",
            expected=f"at least --batch-size {config.batch_size}",
            hint=f"--batch-size {max(1, len(store))}" if len(store) else "other input",
        )
    if config.num_slots and not store.kinds:
        raise HnclipError(
            f"no record has negatives, and --objective {config.objective} needs them",
            hint="hnclip negatives before this, or --objective clip",
        )

    # ---- model and optimizer
    module = clip.module.train()
    optimizer = make_optimizer(module, config.lr, config.weight_decay)
    thresholds = torch.zeros(max(1, len(store.kinds)), device=clip.device)
    num_steps = _num_steps(config, len(store))

    # ---- loop
    started = time.monotonic()
    batches = _batches(clip, store, config, policy)
    step, last = 0, False
    while not last:
        elapsed = time.monotonic() - started
        progress = step / num_steps if num_steps else elapsed / (config.seconds or 1)
        lr = config.lr * lr_factor(step, config.warmup_steps, progress)
        for group in optimizer.param_groups:
            group["lr"] = lr

        result = _objective(clip, next(batches), config, thresholds)
        if not math.isfinite(result.loss.item()):  # sync
            raise HnclipError(
                f"the loss is not finite at step {step + 1}",
                got=str(result.loss.item()),
                hint="a lower --lr, or --precision fp32",
            )
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(result.loss)
        norm = torch.nn.utils.clip_grad_norm_(module.parameters(), config.grad_clip or math.inf)
        optimizer.step()
        clamp_logit_scale(module)
        thresholds = result.thresholds
        step += 1

        elapsed = time.monotonic() - started
        last = step >= num_steps if num_steps else elapsed >= (config.seconds or 0)
        if last or step % config.log_every == 0:
            yield _metrics(step, config, result, lr, norm, clip, store)
        if last or (config.checkpoint_every and step % config.checkpoint_every == 0):
            save(step, _by_kind(store, thresholds))
    module.eval()


def _num_steps(config: TrainConfig, num_records: int) -> int | None:
    """Steps of the run; None where the clock ends it."""
    if config.seconds:
        return None
    if config.steps:
        return config.steps
    return max(1, round((config.epochs or 0) * (num_records // config.batch_size)))


def _batches(
    clip: Clip, store: RecordStore, config: TrainConfig, policy: ErrorPolicy
) -> Iterator[Batch]:
    """Collated batches, samples decoded ahead; a bad image costs its own row only."""

    def load(item: tuple[int, int]) -> Sample | InputError:
        try:
            return make_sample(store, *item, clip, config.num_slots, config.seed, load_pixels)
        except InputError as error:
            return error

    named: set[str] = set()

    def good(results: list[Sample | InputError]) -> Iterator[Sample]:
        for result in results:
            if isinstance(result, Sample):
                yield result
            elif str(result) not in named:  # once a run, not once an epoch
                named.add(str(result))
                policy.bad(result)

    indices = batch_indices(len(store), config.batch_size, config.seed)
    flat = (item for batch in indices for item in batch)
    with PixelLoader(clip, store.image_root, config.workers) as load_pixels:
        results = map_ahead(load, flat, load_pixels.num_threads, depth=2 * config.batch_size)
        num_empty = 0
        while num_empty <= len(store) // config.batch_size:
            samples = list(good([next(results) for _ in range(config.batch_size)]))
            num_empty = 0 if samples else num_empty + 1
            if samples:
                yield collate(samples, config.num_slots)
    raise HnclipError("not one image of an epoch could be decoded")


def _objective(
    clip: Clip, batch: Batch, config: TrainConfig, thresholds: torch.Tensor
) -> Objective:
    spec = config.spec
    move = partial(torch.Tensor.to, device=clip.device, non_blocking=True)
    mask, kinds, groups = move(batch.mask), move(batch.kinds), move(batch.groups)
    images = clip.encode_images(batch.pixels)
    texts = clip.encode_tokens(torch.cat([batch.captions, batch.negatives]))
    captions, valid = texts[: len(images)], texts[len(images) :]
    negatives = valid.new_zeros(*mask.shape, valid.shape[1])
    negatives[mask] = valid  # (B, K, D), zero where a slot is empty
    return hard_negative_objective(
        images,
        captions,
        negatives,
        mask,
        clip.logit_scale,
        negative_kinds=kinds,
        thresholds=thresholds,
        imc_weight=spec.imc_weight,
        cmr_weight=spec.cmr_weight,
        threshold_bound=config.threshold_bound,
        groups=groups,
    )


def _metrics(
    step: int,
    config: TrainConfig,
    result: Objective,
    lr: float,
    norm: torch.Tensor,
    clip: Clip,
    store: RecordStore,
) -> Metrics:
    metrics: Metrics = {
        "step": step,
        "loss": result.loss.item(),
        "contrastive": result.contrastive.item(),
    }
    if config.num_slots:
        metrics |= {"imc": result.imc.item(), "cmr": result.cmr.item()}
    metrics |= {
        "lr": lr,
        "grad_norm": norm.item(),
        "logit_scale": clip.logit_scale.item(),
        "epoch": step * config.batch_size / len(store),
    }
    if config.num_slots:
        metrics["thresholds"] = _by_kind(store, result.thresholds)
    return metrics


def _by_kind(store: RecordStore, thresholds: torch.Tensor) -> dict[str, float]:
    return dict(zip(store.kinds, thresholds.tolist(), strict=False))
