"""The training loop, read from top to bottom."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.models.towers import check_local, has_batch_norm
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.pace import Pace
from hnclip_cli.training.checkpoints import State
from hnclip_cli.training.config import RECONSTRUCTION, TrainConfig, slots_of
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.feed import Batches
from hnclip_cli.training.generations import begin_step
from hnclip_cli.training.gradients import GradientSum
from hnclip_cli.training.objectives.table import terms_of, uses
from hnclip_cli.training.optimizer import clamp_logit_scale, lr_factor
from hnclip_cli.training.step import forward_backward
from hnclip_cli.training.stopping import saved_after
from hnclip_cli.training.store import RecordStore, check_records
from hnclip_cli.training.texts import SOURCES

Metrics = dict[str, Any]

# Steps in a row that are not finite, until --on-error skip gives up.
MAX_FAILED = 10


def train(
    state: State,
    store: RecordStore,
    config: TrainConfig,
    *,
    policy: ErrorPolicy,
    save: Callable[[bool], None] = lambda finished: None,
    stop: Callable[[], bool] = lambda: False,
    note: Callable[[str], None] = lambda text: None,
    validate: Callable[[], Metrics] | None = None,
    ranks: Ranks = Ranks(),
    pace: Pace | None = None,
    on_step: Callable[[int, int | None, float], None] = lambda step, num_steps, loss: None,
) -> Iterator[Metrics]:
    """Train in place from where the state stands, yielding metrics.

    Every rank runs this and yields the same metrics.

    Args:
        policy: what to do with a record whose image does not decode.
        save: called on rank 0, while the others wait, at checkpoints, before stopping and before
            an error is raised (with False), and at the end (with True).
        stop: whether to stop; asked between two steps.
        note: called with lines for the user: that the state was saved before an error, and at the
            end on what this rank has drawn.
        validate: called on rank 0, while the others wait, before the first step, at checkpoints
            and at the end; may raise `Stopped`.
        pace: counts samples, and the time in which this rank waits for them.
        on_step: called after each step with its number, that of all steps (None where the clock
            ends the run) and the loss.

    Raises:
        HnclipError: records or a model that do not fit the settings, a loss or gradients that
            are not finite, or another rank failed.
        InputError: a bad image, where the policy is to fail. Where it skips, a step whose loss or
            gradients are not finite is skipped too, but for several in a row.
        Stopped: `stop` said so and the state has been saved, or `validate` raised it.
    """
    check_records(store, config)
    for line in left_out(store, config):
        note(line)
    check_model(state.clip.module, config, ranks)
    module, num_steps = state.clip.module, count_steps(config, len(store))
    if validate and state.step == 0:
        yield _validated(state, validate, ranks)
    module.train()
    pace = pace or Pace("samples", config.workers)
    started = time.monotonic() - state.elapsed
    unsaid: Metrics | None = None  # of a last step that is no multiple of --log-every
    num_failed = 0  # steps in a row that were skipped
    saved_at: float | None = None  # seconds of training, as all ranks count them

    def keep() -> None:
        """Save the last good step, before an error."""
        if state.step:
            ranks.first(partial(save, False))
            note(f"the state after step {state.step} is saved; --resume goes on")

    with (
        Batches(state.clip, store, config, policy, ranks, start=state.position) as batches,
        GradientSum(state.clip.parameters, ranks) as gradients,
    ):
        while num_steps is None or state.step < num_steps:
            # ---- what all ranks must agree on: whether to go on, the time, the size of the batch
            with pace.waiting():
                batch = batches.draw()
            own = [batches.error is not None, stop(), time.monotonic() - started, len(batch)]
            failed, stopping, state.elapsed, size = ranks.max(torch.tensor(own).double()).tolist()
            saved_at = state.elapsed if saved_at is None else saved_at
            try:
                batches.check(failed=bool(failed), empty=not size)
            except Exception:
                keep()
                raise
            if stopping:
                ranks.first(partial(save, False))
                raise saved_after(state.step)
            if config.seconds and state.step and state.elapsed >= config.seconds:
                break  # after one step at least, so that a model and a log are there
            state.position += 1
            if not size:
                continue

            # ---- one step: loss, gradients, update
            generation = begin_step(state, config)
            done = state.step / num_steps if num_steps else state.elapsed / (config.seconds or 1)
            lr = config.lr * lr_factor(state.step, config.warmup_steps, done)
            for group in state.optimizer.param_groups:
                group["lr"] = lr
            state.optimizer.zero_grad(set_to_none=True)
            try:
                with undone_by_errors(state):
                    outcome = forward_backward(
                        state.clip, batch, config, state.thresholds,
                        step=state.step, progress=done, ranks=ranks,
                    )  # fmt: skip
                    gradients.finish()
                    norm = nn.utils.clip_grad_norm_(
                        state.clip.parameters, config.grad_clip or math.inf
                    )
                    loss, _ = check_finite(outcome.loss, norm, state.step + 1)
            except NotFinite as problem:  # on all ranks alike
                num_failed += 1
                if policy.on_error == "fail" or num_failed == MAX_FAILED:
                    keep()
                    raise
                if ranks.rank == 0:
                    policy.bad(problem)
                state.position += 1
                continue
            except Exception:  # such as too little memory; other ranks may be elsewhere
                if state.step and ranks.rank == 0:
                    save(False)
                raise
            num_failed = 0
            state.optimizer.step()
            clamp_logit_scale(module, state.max_log_scale)
            state.thresholds = outcome.thresholds
            state.step += 1
            pace.add(config.batch_size)
            on_step(state.step, num_steps, loss)

            # ---- what it leaves behind
            unsaid = {
                "step": state.step, "loss": outcome.loss, **outcome.terms, "lr": lr,
                "grad_norm": norm, "logit_scale": state.clip.logit_scale,
                "epoch": state.position * config.batch_size / len(store),
            }  # fmt: skip
            if config.generation_steps:
                unsaid |= generation._asdict()
            if uses(config.weights, "bias"):
                unsaid["logit_bias"] = state.clip.logit_bias
            if uses(config.weights, "negatives"):
                unsaid["thresholds"] = outcome.thresholds
            if state.step % config.log_every == 0:
                yield _said(unsaid, store)
                unsaid = None
            is_due = config.is_checkpoint(state.step, state.elapsed - saved_at)
            if is_due and state.step != num_steps:
                saved_at = None  # the time that it takes does not count
                ranks.first(partial(save, False))
                if validate:
                    yield _validated(state, validate, ranks)
        if unsaid:
            yield _said(unsaid, store)
    for line in [*batches.notes(), *pace.notes()]:
        note(line)
    module.eval()
    ranks.first(partial(save, True))
    if validate:
        yield _validated(state, validate, ranks)


@contextlib.contextmanager
def undone_by_errors(state: State) -> Iterator[None]:
    """A step whose error leaves no trace: neither its batch nor its statistics of a batch count."""
    module = state.clip.module
    buffers = [(x, x.clone()) for x in module.buffers()] if has_batch_norm(module) else []
    try:
        yield
    except Exception:
        state.position -= 1
        for buffer, before in buffers:
            buffer.copy_(before)
        raise


class NotFinite(InputError):
    """A step whose loss or gradients are not finite."""


def check_finite(loss: Tensor, grad_norm: Tensor, step: int) -> list[float]:
    """Both as numbers; raises NotFinite for the loss, or for the gradients, which may be so alone.

    A step waits for a GPU here, and nowhere else.
    """
    numbers: list[float] = torch.stack(
        [loss.detach().double(), grad_norm.double()]
    ).tolist()  # waits for it
    for name, number in zip(("loss", "norm of the gradients"), numbers, strict=True):
        if not math.isfinite(number):
            raise NotFinite(
                f"the {name} is not finite at step {step}",
                got=str(number),
                hint="a lower --lr, or --precision fp32",
            )
    return numbers


def _said(metrics: Metrics, store: RecordStore) -> Metrics:
    """Metrics as numbers."""
    said = {
        name: value.tolist() if isinstance(value, Tensor) else value
        for name, value in metrics.items()
    }
    if "thresholds" in said:
        said["thresholds"] = dict(zip(store.threshold_names, said["thresholds"], strict=False))
    return said


def count_steps(config: TrainConfig, num_records: int) -> int | None:
    """Steps of the run; None where the clock ends it."""
    if config.seconds:
        return None
    if config.steps:
        return config.steps
    return max(1, round((config.epochs or 0) * (num_records // config.batch_size)))


def left_out(store: RecordStore, config: TrainConfig) -> Iterator[str]:
    """Lines on what an objective takes and a run does without, and what adds it."""
    without = f"--objective {config.objective} runs without"
    if not config.decoder and RECONSTRUCTION in config.all_weights:
        yield f"{without} its term {RECONSTRUCTION}; try --decoder google/t5-v1_1-large"
    # Negative images that one side alone needs are a choice; of pairs with captions they are not.
    pairs = any({"negatives", "images"} <= term.needs for _, term, _ in terms_of(config.weights))
    if pairs and not store.has_negative_images:
        yield f"{without} negative images; try hnclip data generate before this"
    for source in slots_of(config, store.has_negative_images).sources:
        if not store.num_with[source]:
            yield f"{without} {SOURCES[source].lacking}; try {SOURCES[source].hint}"


def check_model(module: nn.Module, config: TrainConfig, ranks: Ranks) -> None:
    """Raises HnclipError where a batch is split that batch normalization must see as a whole, or
    the objective needs what the model has not: features of patches or words, or a bias.
    """
    if uses(config.weights, "tokens") or uses(config.weights, "patches"):
        check_local(module, words=uses(config.weights, "tokens"))
    if uses(config.weights, "bias") and getattr(module, "logit_bias", None) is None:
        raise HnclipError(
            f"--objective {config.objective} trains a logit_bias, and the model has none",
            expected="a SigLIP model, or a name of open_clip without --pretrained",
            hint="--objective negclip or clip",
        )
    in_parts = 0 < config.micro_batch < config.batch_size
    if has_batch_norm(module) and (in_parts or ranks.size > 1):
        raise HnclipError(
            "the model has batch normalization, whose batches cannot be split",
            got=f"{ranks.size} processes" if ranks.size > 1 else "--micro-batch",
            expected="one process and whole batches",
            hint="a vision transformer; or --lock image or --set lora_rank 8, which keep them",
        )


def _validated(state: State, validate: Callable[[], Metrics], ranks: Ranks) -> Metrics:
    training = state.clip.module.training
    state.clip.module.eval()
    report = ranks.first(validate)
    state.clip.module.train(training)
    return {"step": state.step, "val": report}
