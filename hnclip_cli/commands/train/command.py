"""hnclip train."""

from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any

import click

from hnclip_cli import console, options
from hnclip_cli.errors import ExitCode, HnclipError, ReaderGone, Stopped

if TYPE_CHECKING:
    from hnclip_cli.training.stopping import StopSignals


@click.command()
@options.input_argument
@options.model_options()
@click.option("-o", "--output", required=True, metavar="DIR", help="Folder for the checkpoint.")
@click.option(
    "--objective",
    type=options.TableName("objective", "hnclip_cli.training.objectives:OBJECTIVES"),
    default="ce-clip",
    show_default=True,
    help="What to minimize.",
)
@click.option("--steps", type=click.IntRange(min=1), help="Length of the run in optimizer steps.")
@click.option("--epochs", type=click.FloatRange(min=0, min_open=True), help="Length in epochs.")
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True), help="Length in wall-clock time."
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Pairs in a step.",
)
@click.option(
    "--micro-batch",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Pairs that the model sees at a time, with the same result; 0: all.",
)
@click.option(
    "--lr",
    type=click.FloatRange(min=0, min_open=True),
    help="Peak learning rate.  [default: 5e-6, or 1e-3 where no weights are loaded]",
)
@click.option(
    "--warmup-steps",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="Linear warm-up before the cosine.",
)
@click.option(
    "--weight-decay",
    type=click.FloatRange(min=0),
    default=0.1,
    show_default=True,
    help="AdamW's, on matrices only.",
)
@click.option(
    "--grad-clip",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Largest gradient norm; 0 turns clipping off.",
)
@click.option(
    "--negatives-per-caption",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Negative slots K of each pair; of more, K are drawn each epoch.",
)
@click.option(
    "--negative-images-per-caption",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="The same for negative images, where the objective uses them.",
)
@click.option(
    "--imc-weight",
    type=click.FloatRange(min=0),
    help="Weight of the intra-modal contrastive term.  [default: the objective's]",
)
@click.option(
    "--cmr-weight",
    type=click.FloatRange(min=0),
    help="Weight of the cross-modal rank term.  [default: the objective's]",
)
@click.option(
    "--threshold-bound",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="Upper bound of the adaptive thresholds, in logits.",
)
@click.option(
    "--log-every",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Steps between two lines of metrics.",
)
@click.option(
    "--checkpoint-every",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Steps between two checkpoints; 0 writes only the last.",
)
@click.option(
    "--val", metavar="FILE", help="Records to measure at the start, at checkpoints and at the end."
)
@click.option(
    "--lock",
    type=click.Choice(["image", "text"]),
    help="Leave the weights of this tower as they are.",
)
@click.option(
    "--lora-rank",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Train low-rank updates of this rank in place of the weights; 0: the weights.",
)
@click.option(
    "--wise-ft",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    metavar="ALPHA",
    help="Write (1 - ALPHA) · start + ALPHA · trained weights.",
)
@click.option(
    "--dry-run", is_flag=True, help="Say what the run would cost, and load nothing but settings."
)
@click.option("--resume", is_flag=True, help="Go on from the state in -o, if it holds one.")
@options.image_root_option
@options.remote_images_option
@options.workers_option
@options.seed_option
@options.on_error_option
@options.plugin_option
@options.verbosity_options
def train(
    input_: str, model: str, pretrained: str | None, device: str,
    precision: str | None, output: str, val: str | None, dry_run: bool, resume: bool,
    image_root: str | None, remote_images: bool, on_error: str, **settings: Any,
) -> ExitCode:  # fmt: skip
    """Train a CLIP model on images, captions and their hard negatives.

    Reads records with image, caption and (from hnclip negatives) negatives; writes metrics as
    JSONL to stdout and the model to the folder -o, in open_clip's local-dir format. One of
    --steps, --epochs and --seconds says how long.

    The input is spooled to a temporary file, so it may be a pipe; memory grows by 24 bytes a
    record, and while reading by the names of the groups.
    The same input, seed and machine give the same weights on a CPU (but for --seconds). Images
    get the model's own evaluation preprocessing, without augmentation.

    \b
    Example:
      hnclip negatives caps.jsonl |
        hnclip train --model hnclip-tiny --steps 20 -o run/ > log.jsonl
    """
    if sum(settings[name] is not None for name in ("steps", "epochs", "seconds")) != 1:
        raise click.UsageError("one of --steps, --epochs and --seconds says how long to train")
    if precision == "fp16":
        raise click.UsageError("training takes --precision fp32 or bf16, not fp16")

    import os
    from pathlib import Path

    from hnclip_cli.training.config import TrainConfig
    from hnclip_cli.training.stopping import StopSignals

    fine_tunes = pretrained is not None or ":" in model or Path(model).is_dir()
    if settings["lr"] is None:
        settings["lr"] = 5e-6 if fine_tunes else 1e-3
    config = TrainConfig(**settings)
    if dry_run:
        from hnclip_cli.commands.train.dry_run import say_plan

        return say_plan(config, model, input_)
    stop = click.get_current_context().with_resource(StopSignals())

    from hnclip_cli.commands.train.validation import make_validation
    from hnclip_cli.models.device import resolve_device
    from hnclip_cli.models.load import load_clip
    from hnclip_cli.streams.images import image_root_of
    from hnclip_cli.streams.jsonl import RecordReader
    from hnclip_cli.training import checkpoints, launch
    from hnclip_cli.training.data import RecordStore
    from hnclip_cli.training.export import Export
    from hnclip_cli.training.loop import train as run

    place = launch.find_place(os.environ)
    where = launch.own_device(resolve_device(device), place)
    precision = precision or ("bf16" if where.type == "cuda" else "fp32")
    checkpoints.check_folder(output, resume=resume, model=model)
    root = image_root_of(input_, image_root, remote_images)
    with (
        launch.joined(place, where) as ranks,
        console.error_policy(on_error) as policy,
        console.open_output("-") as log,
    ):

        def read() -> RecordStore:
            with console.open_input(input_) as stream:
                reader = RecordReader(stream, input_, policy)
                return RecordStore(console.progress(reader, unit="record"), root, policy)

        store = RecordStore.shared(read, root, ranks)
        clip = load_clip(
            model, pretrained, device=str(where), seed=config.seed, precision=precision
        )
        export = Export(clip, config)
        state = checkpoints.start(clip, store, config)
        origin = checkpoints.Origin(
            config, model, pretrained, precision, store.digest, store.threshold_names
        )
        if resume and checkpoints.load_state(state, origin, output) and ranks.rank == 0:
            console.note(f"going on after step {state.step}")
        checkpoints.check_same(state, ranks)
        measure = None
        if val:
            val_root = image_root_of(val, image_root, remote_images)
            measure = make_validation(val, val_root, config.workers, stop)

        def save(finished: bool) -> None:
            checkpoints.save_checkpoint(export.clip(), state, origin, output)
            checkpoints.save_state(state, origin, output, finished=finished)

        stop.wait_for_steps()
        metrics = run(
            state, store, config, policy=policy, save=save, stop=stop, ranks=ranks,
            validate=(lambda: measure(export.clip())) if measure else None,
        )  # fmt: skip
        _write_log(metrics, log if ranks.rank == 0 else None, stop)
        num_skipped = ranks.total(policy.num_skipped)
        policy.num_skipped = num_skipped if ranks.rank == 0 else 0  # rank 0 says it for all
        if ranks.rank == 0:
            console.note(f"wrote {output} ({checkpoints.RUN_NAME} says how it was made)")
    return ExitCode.SKIPPED if num_skipped else ExitCode.DONE


def _write_log(
    metrics: Iterable[dict[str, Any]], log: IO[bytes] | None, stop: "StopSignals"
) -> None:
    """Run, and write what comes out. A log that cannot be written stops the run as a signal does.

    Raises:
        ReaderGone: the reader of the log went away; the state has been saved.
        HnclipError: it could not be written for another reason; the state has been saved.
    """
    from hnclip_cli.streams.records import format_record

    failure: Exception | None = None
    try:
        for line in metrics:
            if log is None or failure:
                continue
            try:
                log.write(format_record(line))
                log.flush()
            except (ReaderGone, HnclipError) as error:
                failure = error
                stop.request()
    except Stopped:
        if failure is None:
            raise
    if failure:
        raise failure
