"""hnclip negatives."""

from typing import Literal

import click
from click.core import ParameterSource

from hnclip_cli import console, options
from hnclip_cli.errors import ExitCode
from hnclip_cli.streams.jsonl import RecordReader, Shard

MineOf = Literal["caption", "image"]


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


class PresetType(KindType):
    """A name from the presets, loaded as late as the kinds."""

    name = "preset"

    def _names(self) -> list[str]:
        from hnclip_cli.negatives.presets import PRESETS

        return list(PRESETS)


@click.command("negatives")
@options.input_argument
@options.output_option
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=KindType(),
    help="A kind of negative; repeatable.  [default: those that read well, see the docs]",
)
@click.option(
    "--preset",
    "presets",
    multiple=True,
    type=PresetType(),
    help="The kinds of a paper; repeatable, and together with --kind.",
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
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Processes that work side by side; 0 and 1 are this one. The output is the same.",
)
@click.option(
    "--slots",
    metavar="FILE",
    help="A slot model: take what fits between its neighbors as in the corpus it was fitted from.",
)
@click.option(
    "--fit-slots",
    metavar="FILE",
    help="Make no negatives; fit a slot model from the captions and write it to FILE.",
)
@click.option(
    "--refine",
    is_flag=True,
    help=(
        "Make no negatives; drop those that the text alone gives away from records that have some."
        " Reads the whole input first, into a temporary file; not for --shard."
    ),
)
@click.option(
    "--mine",
    metavar="NPY",
    help=(
        "Make no negatives; add the nearest captions (or images) of other groups, by embeddings"
        " whose row i belongs to record i. Reads the whole input first, into a temporary file."
    ),
)
@click.option(
    "--mine-of",
    type=click.Choice(["caption", "image"]),
    default="caption",
    show_default=True,
    help='What to add: captions to "negatives", or images as "negative_images".',
)
@click.option(
    "--mine-queries",
    metavar="NPY",
    help="Embeddings to compare those of --mine with, for captions near to an image, for example."
    "  [default: those of --mine]",
)
@click.option(
    "-k",
    "--nearest",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="How many --mine adds to a record.",
)
@click.option(
    "--margin",
    type=click.FloatRange(min=0),
    metavar="X",
    help="Mine only what is at least X less similar than the record's own pair.",
)
@click.option(
    "--relative-margin",
    type=click.FloatRange(min=0),
    metavar="X",
    help="The same, X being a part of the similarity of the record's own pair, as 0.05.",
)
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
    mine_of: MineOf,
    mine_queries: str | None,
    nearest: int,
    margin: float | None,
    relative_margin: float | None,
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
      hnclip negatives --mine images.npy --mine-of image < caps.jsonl > with-images.jsonl
    """
    if fit_slots is not None:
        _refuse_all_but(ctx, "--fit-slots", "input_", "fit_slots", "shard", "on_error")
        return _fit_slots(input_, fit_slots, shard, on_error)
    if refine:
        _refuse_all_but(ctx, "--refine", "input_", "output", "refine", "seed", "on_error")
        return _refine(input_, output, seed, on_error)
    mining = ("mine_of", "mine_queries", "nearest", "margin", "relative_margin")
    if mine is not None:
        common = ("input_", "output", "shard", "on_error")
        _refuse_all_but(ctx, "--mine", "mine", *mining, *common)
        return _mine(
            input_, output, mine, mine_of, mine_queries, nearest, margin, relative_margin, shard,
            on_error,
        )  # fmt: skip
    _refuse(ctx, "without --mine", *mining)
    if slots == "-":
        raise click.UsageError("--slots is read before the records; name a file, not -")
    if true_captions == "-":
        raise click.UsageError("--true-captions is read before the records; name a file, not -")
    from functools import partial

    from hnclip_cli.language.ngram import TrigramModel
    from hnclip_cli.negatives.making import NegativeMaker
    from hnclip_cli.negatives.pool import Answer, Answering, Pool
    from hnclip_cli.negatives.presets import chosen_kinds
    from hnclip_cli.negatives.slots import SlotModel
    from hnclip_cli.negatives.truth import TrueCaptions

    with console.error_policy(on_error) as policy:
        truth = None
        if true_captions is not None:
            with console.open_input(true_captions) as stream:
                truth = TrueCaptions(RecordReader(stream, true_captions, policy), policy)
        preference = None
        if slots is not None:
            with console.open_input(slots) as stream:
                preference = SlotModel(TrigramModel.load(stream, slots))
        make = partial(
            NegativeMaker,
            chosen_kinds(kinds, presets),
            per_caption=per_caption,
            truth=truth,
            preference=preference,
            seed=seed,
        )
        with console.open_input(input_) as stream, console.open_output(output) as out:

            def write(answer: Answer) -> None:
                for error in answer.skipped:
                    policy.bad(error)
                out.write(answer.lines)
                out.flush()
                if answer.failure:
                    raise answer.failure

            with Pool(partial(Answering, make, on_error), write, workers) as pool:
                pool.run(RecordReader(pool.watch(stream), input_, policy, shard).batches())
    return policy.exit_code


def _refuse_all_but(ctx: click.Context, mode: str, *used: str) -> None:
    """Refuse flags that would do nothing.

    Raises:
        click.UsageError: one was given.
    """
    known = (*used, "quiet", "verbose")
    others = [str(param.name) for param in ctx.command.params if param.name not in known]
    _refuse(ctx, f"with {mode}", *others)


def _refuse(ctx: click.Context, when: str, *names: str) -> None:
    for param in ctx.command.params:
        given = ctx.get_parameter_source(str(param.name)) is ParameterSource.COMMANDLINE
        if given and param.name in names:
            raise click.UsageError(f"{param.opts[-1]} does nothing {when}; leave it out")


def _fit_slots(input_: str, model: str, shard: Shard | None, on_error: str) -> ExitCode:
    from hnclip_cli.negatives.slots import fit

    with console.error_policy(on_error) as policy:
        with console.open_input(input_) as stream:
            fitted = fit(RecordReader(stream, input_, policy, shard), policy)
        with console.open_output(model) as out:
            fitted.save(out)
    return policy.exit_code


def _refine(input_: str, output: str, seed: int, on_error: str) -> ExitCode:
    from hnclip_cli.negatives.refine import refine, summary

    with console.error_policy(on_error) as policy:
        with console.open_input(input_) as stream, console.open_output(output) as out:
            reports = refine(RecordReader(stream, input_, policy), out, policy, seed)
        for line in summary(reports):
            console.note(line)
    return policy.exit_code


def _mine(
    input_: str, output: str, mine: str, of: MineOf, mine_queries: str | None, k: int,
    margin: float | None, relative_margin: float | None, shard: Shard | None, on_error: str,
) -> ExitCode:  # fmt: skip
    from contextlib import closing

    from hnclip_cli.negatives.mining import Embeddings, Margins, Miner
    from hnclip_cli.streams.records import format_record

    corpus = Embeddings(mine)
    queries = corpus if mine_queries is None else Embeddings(mine_queries)
    margins = Margins(margin, relative_margin)
    with console.error_policy(on_error) as policy:
        with console.open_input(input_) as stream, console.open_output(output) as out:
            reader = RecordReader(stream, input_, policy)
            miner = Miner(reader, of, corpus, queries, k=k, margins=margins, policy=policy)
            with closing(miner):
                for record in miner.records(shard):
                    out.write(format_record(record))
        if miner.num_short:
            console.note(
                f"{miner.num_short} of {miner.num_records} records got fewer than {k} {of}s"
            )
    return policy.exit_code
