"""hnclip mine: nearest captions or images as negatives."""

from functools import partial
from typing import Any

import click

from hnclip_cli import console, options
from hnclip_cli.console import Run

_blind = partial(click.option, cls=options.Grouped, group="With --blind-pairs")

# fmt: off
_options = options.together(
    click.option("--of", type=options.Choice(["caption", "image"]),
        help='What to add: captions to "negatives", or images as "negative_images".'
        "  [default: caption]"),
    click.option("--queries", metavar="NPY", type=options.READ,
        help="Compare NPY with these embeddings: row i is the query of record i. With images here"
        " and captions in NPY, you get captions near an image.  [default: NPY]"),
    click.option("-k", type=options.Whole(1), default=3,
        help="How many to add to a record; with --blind-pairs, most pairs that begin with"
        " a record."),
    click.option("--margin", type=options.Number(0, 2), metavar="X",
        help="Add only captions or images whose cosine is at least X below that of the record's own"
        " pair."),
    click.option("--relative-margin", type=options.Number(0, 2), metavar="X",
        help="Like --margin, but X is a share of that cosine, such as 0.05."),
    click.option("--blind-pairs", metavar="CLIP.npy", type=options.READ,
        help="Write pairs of images instead: similar in CLIP.npy, and different in NPY, which is"
        " from another encoder."),
    _blind("--same", type=options.Number(0, 1), metavar="X",
        help="Pairs have a cosine above X in CLIP.npy.  [default: 0.95]"),
    _blind("--different", type=options.Number(-1, 1), metavar="X",
        help="Pairs have a cosine below X in NPY.  [default: 0.6]"),
)
# fmt: on


@click.command("mine", cls=options.Command)
@click.argument("embeddings", metavar="NPY", type=options.READ)
@options.input_argument
@options.output_option
@_options
@options.shard_option
@options.key_options
@options.run
def mine(
    run: Run, embeddings: str, input_: str, output: str, blind_pairs: str | None, **given: Any
) -> None:
    """Add the nearest captions or images of other groups as negatives.

    Reads records with "image" and "caption", and NPY, whose row i embeds record i. Writes the
    records in order, with the nearest captions or images. A note counts records that got fewer than
    -k. The whole input is read first, into a temporary file: memory holds a few numbers of each
    record.

    With --blind-pairs it writes pairs of images that CLIP confuses, as in "Eyes Wide Shut" (Tong et
    al. 2024). Each has the "ids" of its records, both "similarities", and, if there are captions,
    what score and eval need.

    \b
    Example:
      hnclip embed --of image --model run/ caps.jsonl -o images.npy
      hnclip mine images.npy --of image < caps.jsonl > with-images.jsonl
      hnclip mine --blind-pairs clip.npy dino.npy < caps.jsonl > pairs.jsonl
    """
    from hnclip_cli.negatives import blind_pairs as pairs
    from hnclip_cli.negatives import mining

    other = ("of", "queries", "margin", "relative_margin") if blind_pairs else ("same", "different")
    if useless := [name for name in other if given[name] is not None]:
        does = "does nothing with" if blind_pairs else "is for"
        raise click.UsageError(f"--{useless[0].replace('_', '-')} {does} --blind-pairs")
    how = {name: value for name, value in given.items() if value is not None}
    records, out = run.read(input_), run.create(output)
    found: pairs.BlindPairs | mining.Mined
    if blind_pairs:
        found = pairs.blind_pairs(records, blind_pairs, embeddings, policy=run.policy, **how)
    else:
        found = mining.mine(records, embeddings, policy=run.policy, **how)
    console.write_records(found, out)
    console.note(*found.summary())
