"""The command itself: which mode the flags ask for, and which flags belong to it."""

import click

from hnclip_cli import options
from hnclip_cli.commands.negatives import flags, making
from hnclip_cli.commands.negatives.flags import refuse
from hnclip_cli.errors import ExitCode
from hnclip_cli.streams.jsonl import Shard

_LEXICON = ("workers", "fitted")
_MASKED = ("mlm_model", "download", "top_k", "batch_size", "device")
_ENDPOINT = (
    "endpoint", "endpoint_model", "api_key_env", "requests_per_minute", "timeout", "retries",
    "concurrency",
)  # fmt: skip


@click.command("negatives")
@options.input_argument
@options.output_option
@flags.making_options
@flags.generator_options
@options.seed_option
@options.shard_option
@options.on_error_option
@options.plugin_option
@options.verbosity_options
@click.pass_context
def negatives(
    ctx: click.Context,
    input_: str,
    output: str,
    kinds: tuple[str, ...],
    presets: tuple[str, ...],
    per_caption: int | None,
    true_captions: str | None,
    workers: int,
    fitted: str | None,
    generator: str | None,
    mlm_model: str | None,
    download: bool,
    top_k: int,
    batch_size: int,
    device: str,
    endpoint: str | None,
    endpoint_model: str | None,
    api_key_env: str | None,
    requests_per_minute: float | None,
    timeout: float,
    retries: int,
    concurrency: int,
    seed: int,
    shard: Shard | None,
    on_error: str,
) -> ExitCode:
    """Add hard negative captions: near-copies that are false of the image.

    Reads records with "caption", writes them with "negatives": a list of {"caption", "kind",
    "edits"}, empty where none can be made safely. Order and number of records stay, memory is
    constant (plus 8 bytes for each caption, thing and color in --true-captions).

    \b
    Example:
      echo '{"caption": "A red car is behind a bus."}' | hnclip negatives
      hnclip negatives caps.jsonl --true-captions caps.jsonl --per-caption 3 -o hard.jsonl
      hnclip negatives --fitted fitted.json < caps.jsonl | hnclip refine > hard.jsonl
      hnclip negatives --generator mlm --mlm-model distilroberta/ < caps.jsonl > hard.jsonl
      hnclip negatives --generator http --endpoint http://localhost:8000/v1 < caps.jsonl
    """
    if true_captions == "-":
        raise click.UsageError("--true-captions is read before the records; name a file, not -")
    job = making.job(
        generator, kinds, presets, input=input_, output=output, per_caption=per_caption,
        true_captions=true_captions, seed=seed, shard=shard, on_error=on_error,
    )  # fmt: skip
    if generator == "mlm":
        refuse(ctx, "with --generator mlm", *_LEXICON, *_ENDPOINT)
        if mlm_model is None:
            raise click.UsageError("--generator mlm needs --mlm-model NAME|DIR")
        return making.by_masked_model(
            job, mlm_model, download=download, device=device, top_k=top_k, batch_size=batch_size
        )
    refuse(ctx, "without --generator mlm", *_MASKED)
    if generator == "http":
        refuse(ctx, "with --generator http", *_LEXICON)
        if endpoint is None:
            raise click.UsageError("--generator http needs --endpoint URL")
        return making.by_endpoint(
            job, endpoint, model=endpoint_model, key_variable=api_key_env, timeout=timeout,
            retries=retries, requests_per_minute=requests_per_minute, concurrency=concurrency,
        )  # fmt: skip
    refuse(ctx, "without --generator http", *_ENDPOINT)
    if fitted == "-":
        raise click.UsageError("--fitted is read before the records; name a file, not -")
    return making.by_lexicon(job, workers, fitted)
