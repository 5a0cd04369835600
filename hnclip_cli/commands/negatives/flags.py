"""The flags of hnclip negatives, by the mode they belong to."""

import click
from click.core import ParameterSource

from hnclip_cli import options

making_options = options.together(
    click.option(
        "--kind",
        "kinds",
        multiple=True,
        type=options.TableName("kind", "hnclip_cli.negatives.kinds.registry:KINDS"),
        help="A kind of negative; repeatable.  [default: those that read well, see the docs]",
    ),
    click.option(
        "--preset",
        "presets",
        multiple=True,
        type=options.TableName("preset", "hnclip_cli.negatives.kinds.presets:PRESETS"),
        help="The kinds of a paper; repeatable, and together with --kind.",
    ),
    click.option(
        "--per-caption",
        type=click.IntRange(min=1),
        metavar="N",
        help="Keep N negatives, of different kinds first.  [default: one of each kind]",
    ),
    click.option(
        "--true-captions",
        metavar="FILE",
        help="Records whose captions are true of the same group; no negative repeats one.",
    ),
    click.option(
        "--workers",
        type=click.IntRange(min=0),
        default=1,
        show_default=True,
        help="Processes that work side by side; 0 and 1 are this one. The output is the same.",
    ),
    click.option(
        "--fitted",
        metavar="FILE",
        help="What hnclip fit wrote: take what goes together in the captions it was fitted from.",
    ),
)

generator_options = options.together(
    click.option(
        "--generator",
        type=click.Choice(["mlm", "http"]),
        help=(
            "Who proposes negatives instead of the lexicon: a masked language model fills what"
            " the replace-* kinds replace, or a chat endpoint writes all."
        ),
    ),
    click.option(
        "--mlm-model",
        metavar="NAME|DIR",
        help="With --generator mlm: a folder, or a name in the cache of the Hugging Face hub.",
    ),
    click.option(
        "--download", is_flag=True, help="Fetch --mlm-model from the hub if it is not there."
    ),
    click.option(
        "--top-k",
        type=click.IntRange(min=1),
        default=64,
        show_default=True,
        help="Words of the masked language model that are tried in a place.",
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(min=1),
        default=32,
        show_default=True,
        help="Places that the masked language model fills at a time.",
    ),
    click.option(
        "--device",
        default="auto",
        show_default=True,
        metavar="auto|cpu|cuda[:N]",
        help="Where the masked language model runs.",
    ),
    click.option(
        "--endpoint",
        metavar="URL",
        help="With --generator http: an OpenAI-compatible server, up to its /v1.",
    ),
    click.option(
        "--endpoint-model", metavar="NAME", help="The model to ask for.  [default: the server's]"
    ),
    click.option(
        "--api-key-env",
        metavar="VAR",
        help="The environment variable that holds the key.  [default: no key is sent]",
    ),
    click.option(
        "--requests-per-minute",
        type=click.FloatRange(min=0, min_open=True),
        metavar="N",
        help="Ask at most so often.  [default: without limit]",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True, max=86400),
        default=60.0,
        show_default=True,
        metavar="S",
        help="Seconds for a connection, and for its answer.",
    ),
    click.option(
        "--retries",
        type=click.IntRange(min=0),
        default=4,
        show_default=True,
        metavar="N",
        help="Further attempts where one fails in passing.",
    ),
    click.option(
        "--concurrency",
        type=click.IntRange(min=1, max=1024),
        default=4,
        show_default=True,
        metavar="N",
        help="Requests at a time.",
    ),
)


def refuse(ctx: click.Context, when: str, *names: str) -> None:
    """Refuse flags of these names.

    Raises:
        click.UsageError: one was given.
    """
    for param in ctx.command.params:
        given = ctx.get_parameter_source(str(param.name)) is ParameterSource.COMMANDLINE
        if given and param.name in names:
            raise click.UsageError(f"{param.opts[-1]} does nothing {when}; leave it out")
