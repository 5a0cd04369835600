"""A whole run: records in, a folder with the trained model out."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from hnclip_cli.errors import HnclipError, ReaderGone, Stopped
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.device import resolve_device
from hnclip_cli.models.load import load_clip
from hnclip_cli.streams.images import ImageRoot, as_root
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.outputs import only_writer
from hnclip_cli.streams.pace import Pace
from hnclip_cli.training import checkpoints, clap, kept, launch, loop
from hnclip_cli.training.clap import HeadExport, Prompts
from hnclip_cli.training.config import AUTO, TrainConfig
from hnclip_cli.training.export import Export, load_decoder
from hnclip_cli.training.loop import Metrics
from hnclip_cli.training.objectives.table import uses
from hnclip_cli.training.place import find_place
from hnclip_cli.training.sizes import choose_sizes
from hnclip_cli.training.stopping import StopSignals
from hnclip_cli.training.store import RecordStore


@dataclass(frozen=True)
class Trained:
    """What `train` leaves."""

    clip: Clip  # the model that was written to the folder
    step: int  # optimizer steps done
    num_skipped: int  # bad records, of all processes
    rank: int  # this process among those of the run; 0 is the one that speaks and writes


def train(
    records: Iterable[Mapping[str, Any]] | RecordStore,
    config: TrainConfig,
    *,
    model: Clip | str,
    output: str,
    pretrained: str | None = None,
    preprocess_of: str | None = None,
    device: str = "auto",
    precision: str | None = None,
    image_root: str | ImageRoot = ".",
    resume: bool = False,
    overwrite: bool = False,
    policy: ErrorPolicy | None = None,
    on_metrics: Callable[[Metrics], None] = lambda metrics: None,
    note: Callable[[str], None] = lambda text: None,
    complain: Callable[[str], None] | None = None,
    validate: Callable[[Clip], Metrics] | None = None,
    stop: StopSignals | None = None,
    pace: Pace | None = None,
    on_step: Callable[[int, int | None, float], None] = lambda step, num_steps, loss: None,
) -> Trained:
    """Train a model on images, captions and hard negatives; with ``clap`` a head on class names.

    Joins the other processes of a run that ``torchrun`` or ``srun`` started; rank 0 alone reads
    the records, calls the functions given here, and writes.

    Args:
        records: with ``image``, ``caption`` and perhaps ``negatives``; read once, spooled to disk,
            or a store of those, as it is.
        config: the settings. One of ``steps``, ``epochs`` and ``seconds`` must be set.
        model: a name or folder as `load_clip` takes it, or a model, which is changed.
        output: folder for the model, in open_clip's local-dir format, and the run's state.
        pretrained: weights for an open_clip name.
        preprocess_of: tag with the preprocessing and activation of a weights file, see `load_clip`.
        device: where a named model is trained.
        precision: ``fp32`` or ``bf16``, of a named model; None: ``bf16`` on CUDA.
        image_root: where relative image paths start, and whether URLs are fetched.
        resume: go on from the state in ``output``, if it holds one.
        overwrite: write to ``output`` also where it holds a model.
        policy: what to do with a bad record; without one it is an error.
        on_metrics: called with the metrics of every ``log_every`` steps, and what ``validate``
            found. Where it raises `HnclipError` or `ReaderGone`, the state is saved first.
        note: called with lines for the user.
        complain: called with the line of an error where this process ends itself, because another
            one of the run has stopped; by default ``note``.
        validate: called with the model as it would be written, before the first step, at
            checkpoints and at the end; its numbers become metrics. It may raise `Stopped`.
        stop: asked to stop by signals or ``stop.request()``.
        pace: counts samples, and the time in which the model waits for them.
        on_step: called on rank 0 after each step on pairs with its number, that of all steps (None
            where the clock ends the run) and the loss.

    Raises:
        HnclipError: settings, records, model and folder do not fit, or another process failed.
        InputError: a bad record, where the policy is to fail.
        Stopped: after ``stop``, with the state saved.
    """
    if sum(length is not None for length in (config.steps, config.epochs, config.seconds)) != 1:
        raise HnclipError("give exactly one of steps, epochs and seconds")
    policy, stop = policy or ErrorPolicy(), stop or StopSignals()
    named = model if isinstance(model, str) else f"Clip {model.settings()['model']}"
    checkpoints.check_folder(output, resume=resume, model=named, overwrite=overwrite)
    place = find_place(os.environ)
    where = model.device if isinstance(model, Clip) else resolve_device(device)
    where = launch.own_device(where, place)
    with (
        launch.joined(place, where, complain or note) as ranks,
        contextlib.ExitStack() as opened,
    ):
        say = note if ranks.rank == 0 else lambda text: None
        ranks.first(lambda: opened.enter_context(only_writer(output)))
        store: RecordStore | Prompts
        if config.objective == "clap":
            store = Prompts.shared(lambda: Prompts.read(records, policy), ranks)
        else:
            read = partial(RecordStore.read, records, config, image_root, policy)
            store = RecordStore.shared(read, image_root, ranks)
        if isinstance(model, Clip):
            clip, precision = model, model.precision
        else:
            precision = precision or ("bf16" if where.type == "cuda" else "fp32")
            clip = load_clip(
                model, pretrained, preprocess_of=preprocess_of, device=str(where),
                seed=config.seed, precision=precision, sigmoid=uses(config.weights, "bias"),
                note=say,
            )  # fmt: skip
        if config.decoder:
            clip = replace(clip, decoder=load_decoder(config, clip))
        bias = clip.logit_bias
        if bias is not None and not uses(config.weights, "bias"):
            say(
                f"--objective {config.objective} is a softmax and does not train the model's "
                f"logit_bias, {bias.item():.6g}; after training the model's logits are no "
                "probabilities of pairs; --objective siglip-hn trains the bias"
            )
        export: Export | HeadExport
        if isinstance(store, Prompts):
            export = HeadExport(clip, config.seed)
            state = export.start(config)
            steps = partial(clap.train, state, export, store)
        else:
            export = Export(clip, config)
            if resume:
                config = checkpoints.with_saved_sizes(config, output)
            if AUTO in (config.batch_size, config.micro_batch):
                config = choose_sizes(config, clip, store, ranks, say)
            state = checkpoints.start(clip, store, config)
            watch: dict[str, Any] = {} if ranks.rank else {"on_step": on_step}
            steps = partial(loop.train, state, store, policy=policy, note=say, pace=pace, **watch)
        origin = checkpoints.Origin(
            config, named, pretrained, precision, store.digest, list(store.threshold_names),
            as_root(image_root).reading, preprocess_of,
        )  # fmt: skip
        goes_on = resume and checkpoints.load_state(state, origin, output)
        checkpoints.check_same(state, ranks)

        def save(finished: bool) -> None:
            checkpoints.save_checkpoint(export.clip(), state, origin, output)
            checkpoints.save_state(state, origin, output, finished=finished)
            if config.keep:
                kept.keep(output, state.step, config.keep)

        def measure() -> Metrics:
            report = validate(export.clip()) if validate else {}
            if config.keep and state.step:
                kept.keep_best(output, state.step, report)
            return report

        if state.finished:
            say(f"{output} holds this run as it was finished after step {state.step}")
        else:
            if goes_on:
                say(f"going on after step {state.step}")
            elif overwrite and ranks.rank == 0:
                kept.forget(output)
            stop.wait_for_steps()
            metrics = steps(
                config=config, save=save, stop=stop, ranks=ranks,
                validate=measure if validate else None,
            )  # fmt: skip
            _hand_on(metrics, on_metrics if ranks.rank == 0 else lambda _: None, stop)
            say(f"wrote {output} ({checkpoints.RUN_NAME} says how it was made)")
        num_skipped = int(ranks.sum(torch.tensor(policy.num_skipped)))
    return Trained(
        replace(export.clip(), decoder=None) if config.decoder else export.clip(),
        state.step,
        num_skipped,
        ranks.rank,
    )


def _hand_on(
    metrics: Iterator[Metrics], on_metrics: Callable[[Metrics], None], stop: StopSignals
) -> None:
    """Run, and hand on what comes out. Where that fails, the run stops as after a signal, and
    then raises what ``on_metrics`` did.
    """
    failure: Exception | None = None
    try:
        for line in metrics:
            try:
                if not failure:
                    on_metrics(line)
            except (ReaderGone, HnclipError) as error:
                failure = error
                stop.request()
    except Stopped:
        if failure is None:
            raise
    if failure:
        raise failure
