"""hnclip negatives."""

import click

from hnclip_cli import console, options
from hnclip_cli.errors import ExitCode
from hnclip_cli.streams.jsonl import RecordReader, Shard


class KindType(click.ParamType[str]):
    """A name from the registry of kinds, which is loaded only when one is named or listed."""

    name = "kind"

    def _names(self) -> list[str]:
        from hnclip_cli.negatives.kinds import KINDS

        return list(KINDS)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return f"[{'|'.join(self._names())}]"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self._names():
            self.fail(f"got {value!r}, expected one of {', '.join(self._names())}", param, ctx)
        return value


@click.command("negatives")
@options.input_argument
@options.output_option
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=KindType(),
    help="A kind of negative; repeatable.  [default: all]",
)
@click.option(
    "--per-caption",
    type=click.IntRange(min=1),
    metavar="N",
    help="Keep N negatives, of different kinds first.  [default: one of each kind]",
)
@click.option(
    "--true-captions",
    metavar="FILE",
    help="Records whose captions are true of the same group; no negative repeats one.",
)
@options.seed_option
@options.shard_option
@options.on_error_option
@options.verbosity_options
def negatives(
    input_: str,
    output: str,
    kinds: tuple[str, ...],
    per_caption: int | None,
    true_captions: str | None,
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
    """
    if true_captions == "-":
        raise click.UsageError("--true-captions is read before the records; name a file, not -")
    from hnclip_cli.negatives.making import NegativeMaker
    from hnclip_cli.negatives.truth import TrueCaptions
    from hnclip_cli.streams.records import format_record

    with console.error_policy(on_error) as policy:
        truth = None
        if true_captions is not None:
            with console.open_input(true_captions) as stream:
                truth = TrueCaptions(RecordReader(stream, true_captions, policy), policy)
        maker = NegativeMaker(kinds, per_caption=per_caption, truth=truth, seed=seed)
        with console.open_input(input_) as stream, console.open_output(output) as out:
            for batch in RecordReader(stream, input_, policy, shard).batches():
                usable, failure = maker.usable(batch, policy)
                for record, made in zip(usable, maker.negatives(usable), strict=True):
                    record["negatives"] = made
                    out.write(format_record(record))
                out.flush()
                if failure:
                    raise failure
    return policy.exit_code
