"""What hnclip negatives does in each of its modes that make nothing by the lexicon."""

from typing import Literal

from hnclip_cli import console
from hnclip_cli.errors import ExitCode
from hnclip_cli.streams.jsonl import RecordReader, Shard

MineOf = Literal["caption", "image"]


def fit_slots(input_: str, model: str, shard: Shard | None, on_error: str) -> ExitCode:
    """Fit a slot model from the captions."""
    from hnclip_cli.negatives.choosing.fluency import fit

    with console.error_policy(on_error) as policy:
        with console.open_input(input_) as stream:
            fitted = fit(RecordReader(stream, input_, policy, shard), policy)
        with console.open_output(model) as out:
            fitted.save(out)
    return policy.exit_code


def refine(input_: str, output: str, seed: int, on_error: str) -> ExitCode:
    """Drop the negatives that the text alone gives away."""
    from hnclip_cli.negatives.refine import refine, summary

    with console.error_policy(on_error) as policy:
        with console.open_input(input_) as stream, console.open_output(output) as out:
            reports = refine(RecordReader(stream, input_, policy), out, policy, seed)
        for line in summary(reports):
            console.note(line)
    return policy.exit_code


def mine(
    input_: str, output: str, embeddings: str, of: MineOf, mine_queries: str | None, k: int,
    margin: float | None, relative_margin: float | None, shard: Shard | None, on_error: str,
) -> ExitCode:  # fmt: skip
    """Add the nearest captions or images of other groups."""
    from contextlib import closing

    from hnclip_cli.negatives.mining import Embeddings, Margins, Miner
    from hnclip_cli.streams.records import format_record

    corpus = Embeddings(embeddings)
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
