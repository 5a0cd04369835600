"""hnclip bench."""

import os
import re
from functools import partial

import click

from hnclip_cli import console, options
from hnclip_cli.console import Run
from hnclip_cli.errors import ExitCode, HnclipError
from hnclip_cli.helping import of_files
from hnclip_cli.streams.files import no_folder


def _read_models(models: tuple[str, ...]) -> dict[str, tuple[str, str | None]]:
    """Names and weights of models, by the names that their files get."""
    found: dict[str, tuple[str, str | None]] = {}
    for text in models:
        name, _, pretrained = text.partition(",")
        options.check_has_weights(name, pretrained or None)
        file = re.sub(r"[^\w.-]+", "-", text.strip("./")) or "model"
        if file in found:
            raise click.UsageError(f"--model {text!r} is given twice, or as {found[file][0]!r}")
        found[file] = name, pretrained or None
    return found


@click.command("bench", cls=options.Command)
@click.argument("folder", metavar="DIR", type=options.PATH)
@click.option(
    "--model",
    "models",
    multiple=True,
    required=True,
    metavar="NAME,TAG|DIR",
    shell_complete=options.complete_model,
    help="A folder that train wrote, or an open_clip name and its weights; repeatable.",
)
@click.option(
    "--benchmark",
    "names",
    multiple=True,
    metavar="NAME",
    type=options.TableName("benchmark", "hnclip_cli.benchmarks:BENCHMARKS", is_listed=False),
    help="Only this benchmark, repeatable.  [default: all with a folder in DIR]",
)
@click.option("-o", "--output", default="bench", metavar="DIR",
    shell_complete=of_files("dir"), help="Folder for the results.")  # fmt: skip
@click.option(
    "--device",
    default="auto",
    metavar="auto|cpu|cuda[:N]",
    callback=options.read_device,
    help="Where the models run; auto takes CUDA where there is one.",
)
@click.option(
    "--precision",
    type=options.Choice(["fp32", "bf16", "fp16"]),
    default="fp32",
    help="Arithmetic of the models.",
)
@options.batch_size_option
@options.workers_option
@click.option(
    "--bootstrap", "rounds", type=options.Whole(0, 1_000_000), default=1000, metavar="N",
    help="Bootstrap rounds of each interval; 0 gives no intervals.",
)  # fmt: skip
@options.seed_option
@options.plugin_option
@options.verbosity_options
def bench(
    folder: str, models: tuple[str, ...], names: tuple[str, ...], output: str,
    device: str, precision: str, batch_size: int, workers: int, rounds: int, seed: int,
) -> ExitCode:  # fmt: skip
    """Score models on all benchmarks in a folder, and write one table of all numbers.

    Reads DIR, which has a folder for each benchmark (hnclip data benchmark NAME --where). Writes
    the scored records, the report and its table for each model, and the table of all models as
    text, Markdown, LaTeX, CSV, HTML and JSON. Each image and caption is encoded once per model.
    After a stop, the same command continues.

    A benchmark that is broken or incomplete is named and does not stop the others: exit code 3.
    Records and embeddings are kept on disk. Memory: less than 1 kB per record and model, and the
    embeddings of retrieval for one model.

    \b
    Example:
      hnclip bench benchmarks/ --model ViT-B-32,openai --model run/ -o results/
      hnclip bench benchmarks/ --model run/ --benchmark sugarcrepe
    """
    # What is told without torch, the quickest first.
    from hnclip_cli.sources.benchmarks.layout import present

    if not os.path.isdir(folder):
        raise no_folder(folder)
    names = names or tuple(present(folder))
    if not names:
        raise HnclipError(
            "no folder of a benchmark in it",
            where=folder,
            hint="hnclip data benchmark NAME --where",
        )
    chosen = _read_models(models)

    from hnclip_cli.benching import bench as run_bench
    from hnclip_cli.models.load import load_clip

    loads = {
        file: partial(load_clip, name, tag, device=device, precision=precision, note=console.note)
        for file, (name, tag) in chosen.items()
    }
    with Run("skip") as run:
        problems = run_bench(
            names, folder, loads, output,
            note=console.note, watch=partial(console.progress, unit="record"), policy=run.policy,
            batch_size=batch_size, workers=workers, rounds=rounds, seed=seed,
        )  # fmt: skip
    console.note(f"{output}: {'table.txt and ' if len(models) > 1 else ''}a report of each model")
    return ExitCode.SKIPPED if problems else run.end()
