"""The command itself: which mode the flags ask for, and which flags belong to it."""

import click

from hnclip_cli import options
from hnclip_cli.commands.negatives import flags, making, modes
from hnclip_cli.commands.negatives.flags import refuse, refuse_all_but
from hnclip_cli.errors import ExitCode
from hnclip_cli.streams.jsonl import Shard

_MINING = ("mine_of", "mine_queries", "nearest", "margin", "relative_margin")
_LEXICON = ("workers", "slots")
_MASKED = ("mlm_model", "download", "top_k", "batch_size", "device")
_ENDPOINT = (
    "endpoint", "endpoint_model", "api_key_env", "requests_per_minute", "timeout", "retries",
    "concurrency",
)  # fmt: skip


@click.command("negatives")
@options.input_argument
@options.output_option
@flags.making_options
@flags.fitting_options
@flags.refining_options
@flags.mining_options
@flags.generator_options
@options.seed_option
@options.shard_option
@options.on_error_option
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
    slots: str | None,
    fit_slots: str | None,
    refine: bool,
    mine: str | None,
    mine_of: modes.MineOf,
    mine_queries: str | None,
    nearest: int,
    margin: float | None,
    relative_margin: float | None,
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
      hnclip negatives --fit-slots slots.json < caps.jsonl
      hnclip negatives --slots slots.json < caps.jsonl | hnclip negatives --refine > hard.jsonl
      hnclip negatives --generator mlm --mlm-model distilroberta/ < caps.jsonl > hard.jsonl
      hnclip negatives --generator http --endpoint http://localhost:8000/v1 < caps.jsonl
      hnclip negatives --mine images.npy --mine-of image < caps.jsonl > with-images.jsonl
    """
    if fit_slots is not None:
        refuse_all_but(ctx, "--fit-slots", "input_", "fit_slots", "shard", "on_error")
        return modes.fit_slots(input_, fit_slots, shard, on_error)
    if refine:
        refuse_all_but(ctx, "--refine", "input_", "output", "refine", "seed", "on_error")
        return modes.refine(input_, output, seed, on_error)
    if mine is not None:
        common = ("input_", "output", "shard", "on_error")
        refuse_all_but(ctx, "--mine", "mine", *_MINING, *common)
        return modes.mine(
            input_, output, mine, mine_of, mine_queries, nearest, margin, relative_margin, shard,
            on_error,
        )  # fmt: skip
    refuse(ctx, "without --mine", *_MINING)
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
    if slots == "-":
        raise click.UsageError("--slots is read before the records; name a file, not -")
    return making.by_lexicon(job, workers, slots)
