"""hnclip negatives."""

import os
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from hnclip_cli import console, options
from hnclip_cli.console import Run
from hnclip_cli.helping import of_files
from hnclip_cli.streams.jsonl import Shard

# The flags whose option of a generator has another name.
_OPTIONS = {"generator_model": "model", "api_key_env": "key", "weak_api_key_env": "weak_key"}
_masked = partial(click.option, cls=options.Grouped, group="With --generator mlm")
_http = partial(click.option, cls=options.Grouped, group="With --generator http or --preset conme")
_conme = partial(click.option, cls=options.Grouped, group="With --preset conme")


# fmt: off
_choice_options = options.together(
    click.option("--kind", "kinds", multiple=True,
        type=options.TableName("kind", "hnclip_cli.negatives.kinds.registry:KINDS"),
        help="A kind of negative, see below; repeatable."
        "  [default: those that docs/kinds.md says are made by default]"),
    click.option("--preset", "presets", multiple=True,
        type=options.TableName("preset", "hnclip_cli.negatives.kinds.presets:PRESETS",
            describe=lambda name, table: table[name].paper),
        help="The kinds of a paper, see below, and its number of negatives; repeatable, also with"
        " --kind."),
    click.option("--per-caption", type=options.Whole(1), metavar="N",
        help="Keep N negatives, of different kinds first.  [default: one of each kind]"),
    click.option("--units", is_flag=True, default=None,
        help="Also write the things, relations and words of each caption, for train --objective"
        " hnclip (the default), cs-clip, concept-centric or clic."),
    click.option("--true-captions", metavar="FILE", type=options.READ,
        help="Records with all true captions of the images; no negative repeats a true caption of"
        " its image."),
    click.option("--words", metavar="DIR", shell_complete=of_files("dir"),
        help="A folder with word tables of yours, which change the built-in ones (docs/words.md)."),
    click.option("--fitted", metavar="FILE", type=options.READ,
        help="A file from hnclip fit: prefer words that occur together in the captions that it was"
        " fitted from.  [default: one fitted from COCO]"),
    click.option("--judge", metavar="NAME|DIR", shell_complete=of_files("dir"),
        help="A causal or masked language model that ranks the first few candidates of each kind."),
    click.option("--device", metavar="auto|cpu|cuda[:N]", callback=options.read_device,
        help="Where the model of --judge or of mlm runs.  [default: auto]"),
)
_generator_options = options.together(
    click.option("--generator",
        type=options.TableName(
            "generator", "hnclip_cli.negatives.generators.registry:GENERATORS"),
        help="What writes the negatives. lexicon: rules and word tables. mlm: a masked language"
        " model, for replace-* kinds. http: a chat endpoint. conme: two vision-language models."
        "  [default: lexicon; with --preset conme: conme]"),
    click.option("--generator-model", metavar="NAME|DIR", shell_complete=of_files("dir"),
        help="The model of the generator. mlm: a folder, or a name in the cache of the Hugging Face"
        " hub. http, conme: the name that the endpoint knows."),
    click.option("--workers", type=options.Whole(0, options.MAX_WORKERS), metavar="N",
        help="lexicon: number of processes. http, conme: records at the same time. The output does"
        " not depend on N.  [default: 1; http, conme: 4]"),
    _masked("--batch-size", type=options.Whole(1), metavar="N",
        help="Masked words that the model fills at a time.  [default: 32]"),
    _http("--endpoint", metavar="URL",
        help="URL of an OpenAI-compatible server, which ends in /v1."),
    _http("--api-key-env", metavar="VAR",
        help="The environment variable with the API key.  [default: send no key]"),
    _http("--requests-per-minute", type=options.Number(0.001), metavar="N",
        help="Send at most N requests per minute.  [default: no limit]"),
    _http("--timeout", type=options.Number(0, 86400, min_open=True), metavar="S",
        help="Give up a request after S seconds. End the run if the server asks for a longer wait."
        "  [default: 60]"),
    _http("--retries", type=options.Whole(0, 1000), metavar="N",
        help="Send a request up to N times more after a timeout, a lost connection, an error of the"
        " server, or an answer that cannot be read.  [default: 4]"),
    _http("--max-tokens", type=options.Whole(1), metavar="N",
        help="Longest answer in tokens, with reasoning.  [default: computed from the caption and"
        " the kinds]"),
    _http("--resume", metavar="FILE", type=options.WRITTEN,
        help="Keep answers in FILE. A later run with this FILE does not ask for them again."),
    _http("--price", metavar="IN,OUT", callback=options.read_price,
        help="Prices of a million input tokens and a million output tokens, for a note on the"
        " cost."),
    _conme("--weak-model", metavar="NAME",
        help="A weaker vision-language model. The model of --generator-model writes negatives;"
        " those that the weaker one takes for true are kept."),
    _conme("--weak-endpoint", metavar="URL",
        help="Endpoint of the weaker model.  [default: --endpoint, with its key]"),
    _conme("--weak-api-key-env", metavar="VAR",
        help="The environment variable with the API key for --weak-endpoint."),
    _conme("--weak-price", metavar="IN,OUT", callback=options.read_price,
        help="Like --price, for the weaker model."),
    _conme("--rounds", type=options.Whole(1, 100), metavar="N",
        help="How often the stronger model writes. From round 2 it sees which negatives the weaker"
        " one got right.  [default: 2]"),
)
# fmt: on


@click.command("negatives", cls=options.Command)
@options.input_argument
@options.output_option
@_choice_options
@_generator_options
@options.image_options
@options.seed_option
@options.shard_option
@options.plugin_option
@options.key_options
@options.run
def negatives(
    run: Run, input_: str, output: str, kinds: tuple[str, ...], presets: tuple[str, ...],
    true_captions: str | None, shard: Shard | None, generator: str | None,
    per_caption: int | None, words: str | None, seed: int, images: dict[str, Any], **given: Any,
) -> None:  # fmt: skip
    """Add hard negative captions: near-copies that are false of the image.

    Reads records with "caption", writes them with "negatives": a list of {"caption", "kind",
    "edits"}, empty if none can be made safely. Order and number of records stay. Memory is
    constant, plus 8 bytes for each caption, thing and color in --true-captions.

    \b
    Example:
      echo '{"caption": "A red car is behind a bus."}' | hnclip negatives
      hnclip negatives caps.jsonl --true-captions caps.jsonl -o hard.jsonl
      hnclip negatives --fitted fit.json < caps.jsonl | hnclip refine > hard.jsonl
      hnclip negatives --units caps.jsonl |
        hnclip train --objective cs-clip … -o run/
      hnclip negatives --generator mlm \\
        --generator-model distilroberta/ < caps.jsonl
      hnclip negatives --generator http --endpoint http://localhost:8000/v1 \\
        --generator-model MODEL < caps.jsonl
      hnclip negatives --preset conme --endpoint http://localhost:8000/v1 \\
        --generator-model STRONG --weak-model WEAK --resume answers.jsonl \\
        < caps.jsonl
    """
    from hnclip_cli.negatives.generators.registry import GENERATORS
    from hnclip_cli.negatives.kinds.presets import LEXICON, chosen_generator, chosen_kinds
    from hnclip_cli.negatives.making import make_negatives
    from hnclip_cli.streams.images import image_root_of

    generator = generator or chosen_generator(presets)
    if "-" in (true_captions, given["fitted"]):
        raise click.UsageError("--true-captions and --fitted are read first; name a file, not -")
    if given["resume"] == "-":
        raise click.UsageError("--resume needs a file of its own")
    if given["device"] and generator == LEXICON and not given["judge"]:
        raise click.UsageError("--device does nothing without --judge or --generator mlm")
    chosen = chosen_kinds(kinds, presets)
    settings = _options(generator, chosen, given)
    if "image_root" in GENERATORS[generator].options:
        settings["image_root"] = image_root_of(input_, **images)
    elif any(images.values()):
        raise click.UsageError(
            f"--generator {generator} looks at no image; leave --image-root and the like out"
        )
    records, out = run.read(input_, shard), run.create(output)
    made = make_negatives(
        records, kinds, presets=presets, per_caption=per_caption,
        true_captions=run.read(true_captions) if true_captions else (),
        words=words, generator=generator, seed=seed, policy=run.policy, **settings,
    )  # fmt: skip
    is_shown = output == "-" and console.wants_table()  # where a bar would stand between records
    console.write_records(made if is_shown else console.reading(made, records), out)
    console.note(*made.summary())


def _options(generator: str, kinds: Sequence[str], given: dict[str, Any]) -> dict[str, Any]:
    """The options of a generator, of those that were given."""
    from hnclip_cli.negatives.generators.endpoint import sends_in_the_clear
    from hnclip_cli.negatives.generators.registry import GENERATORS

    entry, who = GENERATORS[generator], f"--generator {generator}"
    if unknown := [kind for kind in kinds if not entry.can_make(kind)]:
        raise click.UsageError(f"{who} does not make {', '.join(unknown)}; leave it out")
    found = {}
    for name, value in given.items():
        flag, option = f"--{name.replace('_', '-')}", _OPTIONS.get(name, name)
        if value is None:
            if option in entry.needs:
                raise click.UsageError(f"{who} needs {flag}")
        elif option not in (*entry.options, "workers" if entry.workers else None):
            raise click.UsageError(f"{flag} does nothing with {who}; leave it out")
        else:
            found[option] = value
    for whose in ("", "weak_"):
        if (variable := found.get(f"{whose}key")) is not None:
            flag = f"--{whose.replace('_', '-')}api-key-env"
            found[f"{whose}key"] = _key_in_environment(flag, variable)
            if sends_in_the_clear(url := found.get(f"{whose}endpoint", found["endpoint"])):
                console.note(f"{url}: the API key travels unencrypted; https would hide it")
    return found


def _key_in_environment(flag: str, name: str) -> str:
    """What the variable holds that a flag names; the name may be the key itself, by mistake."""
    if key := os.environ.get(name, "").strip():
        return key
    shown = name if re.fullmatch("[A-Z_]+", name) else "variable of this name"
    raise click.UsageError(f"{flag}: the environment has no {shown}")
