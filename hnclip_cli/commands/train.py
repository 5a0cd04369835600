"""hnclip train."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import fields
from functools import partial
from textwrap import indent, wrap
from typing import Any

import click

from hnclip_cli import console, known, options
from hnclip_cli.console import Run
from hnclip_cli.errors import ExitCode, HnclipError
from hnclip_cli.helping import of_files
from hnclip_cli.streams.files import open_input_file
from hnclip_cli.streams.images import ImageRoot, check_image, image_root_of
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.streams.pace import Pace
from hnclip_cli.streams.records import Record, format_record
from hnclip_cli.training import trackers
from hnclip_cli.training.config import AUTO, TrainConfig, in_seconds, no_auto_sizes
from hnclip_cli.training.line import LogTimes, StepLine
from hnclip_cli.training.objectives import IDEAS
from hnclip_cli.training.place import find_place
from hnclip_cli.training.recipes import COUNTS, RECIPES, WITHOUT_FLAGS, as_flags, paper_settings
from hnclip_cli.training.run_folder import check_folder
from hnclip_cli.training.stopping import StopSignals
from hnclip_cli.training.store import RecordStore

_DEFAULTS = {field.name: field.default for field in fields(TrainConfig)}
_OTHERS = sorted(WITHOUT_FLAGS | COUNTS)


def _setting(group: str, flag: str, type_: Any, text: str) -> Any:
    default = None if flag == "--lr" else _DEFAULTS[flag[2:].replace("-", "_")]
    return click.option(
        flag, cls=options.Grouped, group=group, type=type_, help=text, default=default
    )


def _locked_tower(
    ctx: click.Context, param: click.Parameter, towers: tuple[str, ...]
) -> str | None:
    locked = set(towers) - {"none"}
    return "both" if len(locked) > 1 else next(iter(locked), None)


def _given() -> set[str]:
    """The options of this command that its line names."""
    context = click.get_current_context()
    source = context.get_parameter_source
    return {n for n in context.params if source(n) == click.core.ParameterSource.COMMANDLINE}


class _Every(click.ParamType[int | str]):
    """Steps, or a time."""

    name = "time|N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        if str(value)[-1:] not in "smh":
            return options.Whole(0).convert(value, param, ctx)
        try:
            in_seconds(value)
        except HnclipError as error:
            self.fail(str(error), param, ctx)
        return str(value)


_COUNT, _SIZE = options.Whole(1), options.Number(0)
_MORE, _WHOLE = options.Number(0, min_open=True), options.Whole(0)
_OBJECTIVE = options.TableName(
    "objective",
    "hnclip_cli.training.objectives:OBJECTIVES",
    describe=lambda name, table: IDEAS.get(name, ""),
)
_length, _loss, _step, _said = (
    partial(_setting, group)
    for group in ("Length, one of", "Loss", "Optimization", "Log and checkpoints")
)
# fmt: off
_settings = options.together(
    _length("--steps", _COUNT, "Optimizer steps."),
    _length("--epochs", _MORE, "Passes over the records."),
    _length("--seconds", _MORE, "Seconds of training; the schedule follows the clock."),
    _loss("--objective", _OBJECTIVE, "What to minimize (docs/methods.md)."),
    click.option("--paper", is_flag=True, cls=options.Grouped, group="Loss",
        help="Take the settings of the objective's paper, listed below; your own flags win."),
    _loss("--negatives-per-caption", _COUNT,
        "Negatives K of each pair in a step; if a record has more, K are drawn each epoch."),
    _loss("--imc-weight", _SIZE,
        "Weight of the intra-modal contrastive term.  [default: the objective's]"),
    _loss("--cmr-weight", _SIZE,
        "Weight of the cross-modal rank term.  [default: the objective's]"),
    _loss("--threshold-bound", _SIZE, "Upper bound of the adaptive thresholds, in logits."),
    _loss("--groups", options.Choice(["image", "none"]),
        "image: do not contrast pairs of one image with each other; none: do, as in the papers."),
    _step("--batch-size", options.WholeOrAuto(1, AUTO),
        "Pairs in a step; auto: as many as fit into the memory of the GPU."),
    _step("--micro-batch", options.WholeOrAuto(0, AUTO),
        "Pairs that the model gets at a time, with the same result; 0: all; auto: as many as fit."),
    _step("--lr", _MORE,
        "Learning rate, times a cosine that falls from 1 to 0.  [default: 5e-6; 1e-3 with"
        " random weights]"),
    _step("--warmup-steps", _WHOLE, "Steps of linear warm-up, times the cosine."),
    click.option("--lock", multiple=True, cls=options.Grouped, group="Optimization",
        type=options.Choice(["image", "text", "none"]), callback=_locked_tower,
        help="Do not train this tower; repeatable."),
    click.option("--decoder", metavar="T5", cls=options.Grouped, group="Loss",
        help="For --objective read: the T5 that rebuilds captions, a folder or a cached name."),
    click.option("--set", "others", multiple=True, cls=options.Grouped, group="Optimization",
        type=(options.Choice(_OTHERS), _SIZE), metavar="NAME NUMBER",
        help=f"Another setting, repeatable (docs/train.md): {', '.join(_OTHERS)}."),
    _said("--log-every", _COUNT, "Steps between two lines of metrics."),
    _said("--checkpoint-every", _Every(),
        "Time, as in 10m, or steps between two checkpoints; 0 writes only the last."),
    _said("--keep", _WHOLE,
        "Keep the models of the last N checkpoints in -o, and with --val the best one."),
    click.option("--log-time", is_flag=True, cls=options.Grouped, group="Log and checkpoints",
        help="Add time and samples_per_second to the lines, which then differ from run to run."),
    click.option("--tensorboard", metavar="DIR", shell_complete=of_files("dir"),
        cls=options.Grouped, group="Log and checkpoints",
        help="Also write the metrics for TensorBoard (pip install 'hnclip[tensorboard]')."),
    click.option("--wandb", is_flag=True, cls=options.Grouped, group="Log and checkpoints",
        help="Also write them for W&B, offline unless WANDB_MODE=online (hnclip[wandb])."),
    click.option("--val", metavar="FILE", type=options.READ, cls=options.Grouped,
        group="Log and checkpoints",
        help="Records to validate on at the start, at checkpoints and at the end."),
)
# fmt: on


class _Train(options.Command):
    """Says below the help what the papers have."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Settings that --paper takes"):
            wide = max(map(len, RECIPES)) + 4
            for name, recipe in RECIPES.items():
                flags = as_flags(recipe)
                lines = wrap(flags, formatter.width - wide, break_on_hyphens=False)
                first, *more = indent("\n".join(lines), wide * " ").splitlines(keepends=True)
                formatter.write(f"  {name:{wide - 2}}{first.lstrip()}{''.join(more)}\n")


@click.command("train", cls=_Train)
@options.input_argument
@options.model_options()
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="DIR",
    shell_complete=of_files("dir"),
    help="Folder for the checkpoint.",
)
@click.option("--resume", is_flag=True, help="Continue from the state in -o, if there is one.")
@click.option("--overwrite", is_flag=True, help="Replace the model or run in -o.")
@click.option("--from-scratch", is_flag=True, help="Start from random weights.")
@click.option("--dry-run", is_flag=True, help="Print steps, FLOPs and memory, and do not train.")
@_settings
@options.image_options
@options.workers_option
@options.seed_option
@options.plugin_option
@options.key_options
@options.run
def train(
    run: Run, input_: str, model: str, pretrained: str | None, preprocess_of: str | None,
    device: str, precision: str | None, output: str, val: str | None,
    dry_run: bool, resume: bool, overwrite: bool, from_scratch: bool, paper: bool,
    log_time: bool, tensorboard: str | None, wandb: bool,
    images: dict[str, Any], others: list[tuple[str, Any]], **settings: Any,
) -> ExitCode | None:  # fmt: skip
    """Train a CLIP model on images, captions and their hard negatives.

    Reads records with image, caption and (from hnclip negatives) negatives; writes metrics as
    JSONL to stdout and the model to the folder -o, in open_clip's local-dir format.

    The input is copied to a temporary file, so it may be a pipe. Memory grows by 24 bytes per
    record. The same input, seed and machine give the same weights on a CPU (not with --seconds).
    Images get the model's own evaluation preprocessing, without augmentation.

    \b
    Example:
      hnclip negatives --units caps.jsonl |
        hnclip train --model hnclip-tiny --steps 20 -o run/ > log.jsonl
    """
    if precision == "fp16":
        raise click.UsageError("training takes --precision fp32 or bf16, not fp16")
    if len(dict(others)) < len(others):
        raise click.UsageError("--set is given twice for one name")
    for name, number in others:
        if name in COUNTS and number % 1:
            raise click.UsageError(f"--set {name} takes a whole number, got {number:g}")
        settings[name] = int(number) if name in COUNTS else number
    if paper:
        taken = paper_settings(settings["objective"], dict(others).keys() | _given())
        settings |= taken
        console.note(f"--paper stands for {as_flags(taken)}")
    if dry_run and settings["objective"] == "clap":
        raise click.UsageError("--dry-run does not work with --objective clap")
    if sum(settings[name] is not None for name in ("steps", "epochs", "seconds")) != 1:
        raise click.UsageError("give exactly one of --steps, --epochs and --seconds")
    sizes = [settings["batch_size"], settings["micro_batch"]]
    if sizes.count(AUTO) > (0 if dry_run else 1):
        raise click.UsageError(
            "auto is for --batch-size or --micro-batch, not for both, and not with --dry-run"
        )
    if settings["lr"] is None:
        fine_tunes = options.has_weights(model, pretrained) and settings["objective"] != "clap"
        settings["lr"] = 5e-6 if fine_tunes else 1e-3
    config = TrainConfig(**settings)

    def records(policy: ErrorPolicy) -> Iterator[Record]:  # opened by the rank that reads
        with console.open_records(input_) as stream:
            reader = RecordReader(stream, input_, policy, keys=run.keys)
            yield from console.reading(reader, reader)

    log = run.create("-")
    known.check_model(model, pretrained)
    if not dry_run:
        _check_start(model, pretrained, from_scratch)
        known.check_weights(model, pretrained)
    if dry_run:
        from hnclip_cli.training.plan import estimate

        plan = estimate(
            config, model, None if input_ == "-" else records(ErrorPolicy()),
            pretrained=pretrained, preprocess_of=preprocess_of,
            precision=precision or ("fp32" if device == "cpu" else "bf16"),
        )  # fmt: skip
        log.write(format_record(plan))
        return ExitCode.DONE

    # What can be wrong without torch is found before that is imported.
    if AUTO in sizes and (device == "cpu" or known.num_gpus() == 0):
        raise no_auto_sizes("cpu")
    for package, is_asked in (("tensorboard", tensorboard), ("wandb", wandb)):
        if is_asked:
            trackers.check_installed(package)
    check_folder(output, resume=resume, model=model, overwrite=overwrite)
    stop = click.get_current_context().with_resource(StopSignals(console.note))
    root = image_root_of(input_, **images)
    val_root = image_root_of(val, **images) if val else root
    measured = _read_whole(run, val, val_root) if val else None
    found: Iterable[Record] = records(run.policy)
    if find_place(os.environ) is None and config.objective != "clap":
        found = RecordStore.read(found, config, root, run.policy)

    # Batches differ in size, and blocks of memory that can grow leave few gaps between them.
    os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")  # else C++ says all, over many lines
    from hnclip_cli.training.run import train

    console.is_ending = stop
    pace = Pace("samples", config.workers)
    line, show = StepLine(pace, config.seconds), run.enter_context(console.live_line())
    times = LogTimes(pace)
    followers = [run.enter_context(one) for one in _followers(tensorboard, wandb, output, config)]

    def write(metrics: dict[str, Any]) -> None:
        console.write_log(format_record(times.added(metrics) if log_time else metrics), log)
        for follower in followers:
            follower.put(metrics)

    validate = None
    if measured is not None:
        from hnclip_cli.validating import validation

        validate = validation(measured, image_root=val_root, workers=config.workers, stop=stop)
    trained = train(
        found, config, model=model, output=output, pretrained=pretrained,
        preprocess_of=preprocess_of, device=device, precision=precision, resume=resume,
        overwrite=overwrite, policy=run.policy,
        stop=stop,
        image_root=root,
        on_metrics=write, note=console.note, complain=console.complain, validate=validate,
        pace=pace, on_step=lambda *step: show(line.text(*step)),
    )  # fmt: skip
    run.policy.num_skipped = trained.num_skipped
    return run.policy.exit_code if trained.rank else None  # rank 0 says it for all


def _read_whole(run: Run, path: str, root: ImageRoot) -> list[Record]:
    """The records to measure, with images that are there."""
    with open_input_file(path) as stream:
        kept = list(RecordReader(stream, path, keys=run.keys))
    for record in kept:
        for name in record.matching.images:
            check_image(record, name, root)
    return kept


def _check_start(model: str, pretrained: str | None, from_scratch: bool) -> None:
    """Refuse random weights that nobody has asked for; our own models have no others."""
    has_weights = options.has_weights(model, pretrained)
    if from_scratch and has_weights:
        raise click.UsageError("--from-scratch, and weights to start from, exclude each other")
    if has_weights or from_scratch or model.startswith(known.OWN):
        return
    tags = [*known.tags_of(model)]
    weights = f"--pretrained {tags[0]}" if tags else "--pretrained FILE"
    raise click.UsageError(
        f"{model} would start from random weights; try {weights}, or --from-scratch"
    )


def _followers(
    tensorboard: str | None, wandb: bool, output: str, config: TrainConfig
) -> Iterator[trackers.Tracking]:
    """What else gets the metrics."""
    if tensorboard:
        start = partial(trackers.tensorboard, tensorboard)
        yield trackers.Tracking("tensorboard", start, console.note)
    if wandb:
        start = partial(trackers.wandb, output, config.resolved())
        yield trackers.Tracking("wandb", start, console.note)
