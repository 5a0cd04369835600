"""hnclip train."""

from typing import Any

import click

from hnclip_cli import console, options
from hnclip_cli.errors import ExitCode

OBJECTIVES = ["clip", "negclip", "ce-clip"]  # a test holds them equal to the room's


@click.command()
@options.input_argument
@options.model_options()
@click.option("-o", "--output", required=True, metavar="DIR", help="Folder for the checkpoint.")
@click.option(
    "--objective",
    type=click.Choice(OBJECTIVES),
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
@options.image_root_option
@options.remote_images_option
@options.workers_option
@options.seed_option
@options.on_error_option
@options.verbosity_options
def train(
    input_: str, model: str, pretrained: str | None, device: str,
    precision: str | None, output: str, image_root: str | None, remote_images: bool, on_error: str,
    **settings: Any,
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

    from pathlib import Path

    from hnclip_cli.models.load import load_clip, resolve_device
    from hnclip_cli.streams.images import image_root_of
    from hnclip_cli.streams.jsonl import RecordReader
    from hnclip_cli.streams.records import format_record
    from hnclip_cli.training.checkpoints import RUN_NAME, save_checkpoint
    from hnclip_cli.training.config import TrainConfig
    from hnclip_cli.training.data import RecordStore
    from hnclip_cli.training.loop import train as run

    where = resolve_device(device)
    precision = precision or ("bf16" if where.type == "cuda" else "fp32")
    fine_tunes = pretrained is not None or ":" in model or Path(model).is_dir()
    if settings["lr"] is None:
        settings["lr"] = 5e-6 if fine_tunes else 1e-3
    config = TrainConfig(**settings)

    with console.error_policy(on_error) as policy, console.open_output("-") as log:
        with console.open_input(input_) as stream:
            reader = RecordReader(stream, input_, policy)
            store = RecordStore(
                console.progress(reader, unit="record"),
                image_root_of(input_, image_root, remote_images),
                policy,
            )
        clip = load_clip(model, pretrained, device=device, precision=precision, seed=config.seed)

        def save(step: int, thresholds: dict[str, float]) -> None:
            save_checkpoint(
                clip, output, config, step=step, thresholds=thresholds, model=model,
                pretrained=pretrained, data=store.digest,
            )  # fmt: skip

        for metrics in run(clip, store, config, save, policy):
            log.write(format_record(metrics))
            log.flush()
        console.note(f"wrote {output} ({RUN_NAME} says how it was made)")
    return policy.exit_code
