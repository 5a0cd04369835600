"""hnclip fetch."""

import click

from hnclip_cli import known, options
from hnclip_cli.console import Run
from hnclip_cli.streams.records import format_record


@click.command("fetch", cls=options.Command)
@click.argument("models", metavar="NAME[,TAG]...", nargs=-1, required=True)
@options.output_option
@options.plugin_option
@options.run
def fetch(run: Run, models: tuple[str, ...], output: str) -> None:
    """Fetch models into the cache, for machines without a network.

    Fetches weights, tokenizer and configuration into the caches of open_clip and of the Hugging
    Face hub (HF_HOME). A name of open_clip without TAG gets only its tokenizer. Reads no input.
    Writes a line of JSON for each model, with the file of its weights and their size. Files that
    are in the cache are not fetched again. Memory does not grow: no weights are loaded.

    \b
    Example:
      hnclip fetch ViT-B-32,openai hf-hub:timm/ViT-B-16-SigLIP2
    """
    named = [(name, tag or None) for name, _, tag in (model.partition(",") for model in models)]
    for name, tag in named:
        known.check_model(name, tag)
        known.check_weights(name, tag)
    out = run.create(output)

    from hnclip_cli.models.fetch import fetch

    for name, tag in named:
        out.write(format_record(fetch(name, tag)))
        out.flush()
