"""Flags that mean the same in every command."""

import functools
import os
import re
import shlex
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from hnclip_cli import console, known, plugins
from hnclip_cli.arguments import READ as READ
from hnclip_cli.arguments import WRITTEN as WRITTEN
from hnclip_cli.arguments import FileName, check_files
from hnclip_cli.errors import ExitCode
from hnclip_cli.helping import COMMON, IMAGES, MODEL, TYPED, of_files
from hnclip_cli.helping import Choice as Choice
from hnclip_cli.helping import Command as Command
from hnclip_cli.helping import Grouped as Grouped
from hnclip_cli.helping import TableName as TableName
from hnclip_cli.streams.files import MAX_WORDS_BYTES, read_rest
from hnclip_cli.streams.garbage import collecting_rarely
from hnclip_cli.streams.jsonl import Shard

F = TypeVar("F", bound=Callable[..., Any])

_SHARD = re.compile(r"\d{1,9}/\d{1,9}", re.ASCII)
_DEVICE = re.compile(r"auto|cpu|cuda(:\d{1,3})?", re.ASCII)


class PathType(FileName):
    """The name of a file or folder that becomes part of records."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            value.encode()
        except UnicodeEncodeError:
            self.fail("the name is not UTF-8, so no record can hold it", param, ctx)
        return super().convert(value, param, ctx)


PATH = PathType(is_written=False)
MAX_COUNT = (1 << 31) - 1
MAX_NUMBER = 1e9
MAX_SEED = (1 << 63) - 1
MAX_WORKERS = 1024


class Whole(click.IntRange):
    """A whole number in a range, and not beyond what libraries count to."""

    def __init__(self, min: int, max: int | None = None, *, largest: int = MAX_COUNT) -> None:
        super().__init__(min, max)
        self._largest = largest

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number = super().convert(value, param, ctx)
        if number > self._largest:
            self.fail(f"it is too large, expected at most {self._largest:,}", param, ctx)
        return number


class WholeOrAuto(Whole):
    """A whole number, or ``auto``, which stands for a number out of the range."""

    def __init__(self, min: int, auto: int) -> None:
        super().__init__(min)
        self._auto = auto

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "N|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        return self._auto if value in ("auto", self._auto) else super().convert(value, param, ctx)


class Number(click.FloatRange):
    """A number in a range: finite, and not beyond all use."""

    def __init__(self, min: float, max: float | None = None, *, min_open: bool = False) -> None:
        super().__init__(min, max, min_open=min_open)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "X"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = super().convert(value, param, ctx)
        if not number <= MAX_NUMBER:  # nor is "nan", which no range refuses
            self.fail(f"got {number}, expected at most {MAX_NUMBER:,.0f}", param, ctx)
        return number


def _set_verbosity(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and param.name == "quiet":
        console.verbosity = 0
    elif value:
        console.be_verbose()


def together(*decorators: Callable[[Any], Any]) -> Callable[[F], F]:
    """One decorator for several options, which the help shows in this order."""

    def decorate(command: F) -> F:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def _load_plugins(ctx: click.Context, param: click.Parameter, names: tuple[str, ...]) -> None:
    for name in names:
        plugins.load_plugin(name)


def read_device(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _DEVICE.fullmatch(value):
        raise click.BadParameter(f"got {value!r}, expected auto, cpu, cuda or cuda:N")
    known.check_device(value or "")
    return value


def _check_is_name(ctx: click.Context, param: click.Parameter, model: str | None) -> str | None:
    is_folder = model is not None and any(Path(model).glob("*config.json"))
    if model and ctx.params.get("pretrained") and (is_folder or ":" in model):
        raise click.BadParameter(f"{model} brings its weights; try without --pretrained")
    return model


def complete_model(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of models, each with a comma and its tags for bench; else folders."""
    name, comma, _ = incomplete.partition(",")
    names = [f"{name},{tag}" for tag in known.tags_of(name)] if comma else known.model_names()
    found = [CompletionItem(one) for one in names if one.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="dir")]


def _complete_tag(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The tags of --model, where that stands before; else files."""
    tags = known.tags_of(ctx.params.get("model") or "")
    found = [CompletionItem(tag) for tag in tags if tag.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def _check_is_of_file(ctx: click.Context, param: click.Parameter, tag: str | None) -> str | None:
    if tag and not Path(ctx.params["pretrained"] or "").is_file():
        raise click.BadParameter("it is for a file of weights; try --pretrained FILE")
    return tag


def _read_shard(ctx: click.Context, param: click.Parameter, value: str | None) -> Shard | None:
    if value is None:
        return None
    index, _, count = value.partition("/")
    if not (_SHARD.fullmatch(value) and int(index) < int(count)):
        raise click.BadParameter(f"got {value!r}, expected I/N with I from 0 to N-1, as in 0/4")
    return Shard(int(index), int(count))


def _read_names(ctx: click.Context, param: click.Parameter, path: str | None) -> list[str]:
    """The names in a file, one a line."""
    if path is None:
        return []
    with console.open_input(path) as stream:
        text = read_rest(stream, path, MAX_WORDS_BYTES).decode("utf-8", "replace")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _read_color(
    ctx: click.Context, param: click.Parameter, name: str | None
) -> tuple[int, int, int] | None:
    """A color by its name in CSS, or as #rgb or #rrggbb."""
    if name is None:
        return None
    from PIL import ImageColor

    try:
        red, green, blue = ImageColor.getrgb(name)[:3]
    except ValueError:
        raise click.BadParameter(f"got {name!r}, expected a color as white or #ff8800") from None
    return red, green, blue


_common = partial(click.option, cls=Grouped, group=COMMON)
_images = partial(click.option, cls=Grouped, group=IMAGES)
_model = partial(click.option, cls=Grouped, group=MODEL)


# fmt: off
input_argument = click.argument("input_", metavar="[INPUT]", default="-", type=READ)
output_option = click.option("-o", "--output", default="-", metavar="FILE", type=WRITTEN,
    help="Output file; - is stdout.")
on_error_option = _common("--on-error", type=Choice(["fail", "skip"]), default="fail",
    help="A bad record ends the run (exit 1), or is named, skipped and counted (exit 3).")
key_options = together(
    _common("--caption-key", "caption_field", metavar="NAME",
        help="The field of the input that becomes caption.  [default: caption]"),
    _common("--image-key", "image_field", metavar="NAME",
        help="The field of the input that becomes image.  [default: image]"),
)
_shard = partial(_common, "--shard", metavar="I/N", callback=_read_shard)
shard_option = _shard(help="Only part I of N, I from 0; cat joins the outputs in order.")
array_shard_option = _shard(
    help="Only part I of N, I from 0. A folder of the parts, in the order of names, is one array.")
seed_option = _common("--seed", type=Whole(0, largest=MAX_SEED), default=0,
    help="Seed of all choices.")
image_root_option = _images("--image-root", metavar="DIR", shell_complete=of_files("dir"),
    help="Where relative image paths start.  [default: the input file's folder; . for stdin]")
remote_images_option = together(
    _images("--remote-images", flag_value="public",
        help="Fetch images whose name is a URL, through fsspec.  [default: such a record is bad]"),
    _images("--private-images", "remote_images", flag_value="private",
        help="Like --remote-images, also from this machine and private networks."),
)
background_option = _images("--background", metavar="COLOR", callback=_read_color,
    help="Blend transparent pixels with a color: white, '#ff8800'.  [default: drop transparency]")
exif_option = _images("--exif-orientation", is_flag=True,
    help="Turn images as their EXIF says.  [default: not turned, as in open_clip]")
batch_size_option = click.option("--batch-size", type=Whole(1), default=64,
    help="Records encoded at a time.")
workers_option = click.option("--workers", type=Whole(0, MAX_WORKERS), default=2,
    help="Processes that decode images ahead; with 0 the command decodes by itself.")
caption_lines_option = click.option("--caption-lines", is_flag=True,
    help="Each line of a text file is a caption.  [default: the whole file is one]")
format_option = click.option("--format", "format_", type=Choice(["json", "table"]),
    help="[default: table on a terminal, else json]")
plugin_option = _common("--plugin", multiple=True, metavar="FILE.py|MODULE",
    is_eager=True,  # others may name what it adds
    expose_value=False, callback=_load_plugins,
    help="Load a plug-in: a file or a module (docs/plugins.md); repeatable.")
verbosity_options = together(
    _common("-q", "--quiet", is_flag=True, expose_value=False, callback=_set_verbosity,
        help="No notes on stderr, only errors."),
    _common("-v", "--verbose", is_flag=True, expose_value=False, callback=_set_verbosity,
        help="More on stderr: what is loaded, what is skipped, and tracebacks."),
)


def report_options(format_option: Callable[[F], F]) -> Callable[[F], F]:
    """What eval and compare have in common."""
    return together(
        click.option("--by", multiple=True, metavar="FIELD",
            help="Also measure the records of each value of a field; repeatable."
            "  [default: kind, benchmark, subset]"),
        click.option("--bootstrap", "rounds", type=Whole(0, 1_000_000), default=1000, metavar="N",
            help="Bootstrap rounds of each interval; 0 gives no intervals."),
        seed_option,
        click.option("--without", metavar="F", type=READ, callback=_read_names,
            help="A file with names, one per line, of parts that official means leave out (ARO's"
            " symmetric relations)."),
        format_option,
        output_option,
        click.option("--html", metavar="F", type=WRITTEN,
            help="Also write one page with charts and failures."),
        image_root_option,
        plugin_option,
    )


def model_options(*, required: bool = True) -> Callable[[F], F]:
    """--model, --pretrained, --preprocess-of, --device, --precision."""
    return together(
        _model("--model", required=required, metavar="NAME|DIR", callback=_check_is_name,
            shell_complete=complete_model,
            help="An open_clip name, such as ViT-B-32 or hf-hub:…, hnclip-tiny, or a folder"
            " that train wrote."),
        _model("--pretrained", metavar="TAG|FILE", type=READ,
            is_eager=True,  # --preprocess-of looks at it
            shell_complete=_complete_tag,
            help="Weights for an open_clip model name: a tag such as openai, or a file."),
        _model("--preprocess-of", metavar="TAG", callback=_check_is_of_file,
            help="For a weights file, use preprocessing and activation of this tag, or of default."
            "  [default: those of all tags of the name, if they agree]"),
        _model("--device", default="auto", metavar="auto|cpu|cuda[:N]",
            callback=read_device, help="Where the model runs; auto takes CUDA where there is one."),
        _model("--precision", type=Choice(["fp32", "bf16", "fp16"]),
            help="Arithmetic of the model.  [default: bf16 in train on CUDA, else fp32]"),
    )
head_options = together(
    _model("--head", metavar="DIR", shell_complete=of_files("dir"),
        help="Transform features by this head, from train --objective clap."),
    _model("--head-scale", type=Number(0), metavar="A",
        help="How much the head adds.  [default: what its folder says]"),
)
# fmt: on


def image_options(command: F) -> Callable[..., Any]:
    """--image-root and how images are read, as ``images``: what `image_root_of` takes by name."""

    @functools.wraps(command)
    def with_images(
        *args: Any, image_root: str | None, remote_images: str | None,
        background: tuple[int, int, int] | None, exif_orientation: bool, **given: Any,
    ) -> Any:  # fmt: skip
        images = {
            "image_root": image_root,
            "remote": remote_images is not None, "private": remote_images == "private",
            "background": background, "exif_orientation": exif_orientation,
        }  # fmt: skip
        return command(*args, images=images, **given)

    return together(image_root_option, remote_images_option, background_option, exif_option)(
        with_images
    )


def run(command: Callable[..., ExitCode | None]) -> Callable[..., ExitCode]:
    """Adds --on-error, -q and -v. The command gets a `console.Run` before its other options.

    That also takes what `key_options` say.
    """

    @functools.wraps(command)
    def in_run(on_error: str, **given: Any) -> ExitCode:
        check_files(click.get_current_context())
        keys = {name: given.pop(f"{name}_field", None) for name in ("caption", "image")}
        keys = {name: key for name, key in keys.items() if key}
        with collecting_rarely(), console.Run(on_error, keys) as run:
            code = command(run, **given)
        return run.end() if code is None else code

    return together(on_error_option, verbosity_options)(in_run)


def how_run(files: Mapping[str, str]) -> dict[str, Any]:
    """What a report says of this run: the data, by name and SHA-256, the date and the command.

    ``SOURCE_DATE_EPOCH`` is the date where the same run shall give the same bytes.
    """
    seconds = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = int(seconds) if seconds.isdecimal() else int(time.time())
    ctx = click.get_current_context()
    return {
        "data": [
            {"file": name} | ({"sha256": digest} if digest else {})
            for name, digest in files.items()
        ],
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "command": shlex.join(["hnclip", *ctx.command_path.split()[1:], *ctx.meta[TYPED]]),
    }


def note_unmeasured(by: tuple[str, ...], report: dict[str, Any]) -> None:
    """Say which fields of --by no measured record has."""
    for field in by:
        if field not in report.get("by", {}):
            console.note(f"no measured record has a field {field!r}: no section for it")


def has_weights(model: str, pretrained: str | None) -> bool:
    """Whether the model is more than an open_clip name without ``--pretrained``."""
    return pretrained is not None or ":" in model or Path(model).is_dir()


def check_head(head: str | None, scale: float | None) -> None:
    """Refuse the scale of a head that is not there."""
    if scale is not None and not head:
        raise click.UsageError("--head-scale needs --head, whose features it scales")


def check_has_weights(model: str, pretrained: str | None) -> None:
    """Refuse to measure a model of random weights, or one that is not there."""
    known.check_model(model, pretrained)
    known.check_weights(model, pretrained)
    if not has_weights(model, pretrained):
        raise click.UsageError(
            f"--model {model} has no weights (it is no folder); "
            "try --pretrained TAG, or the folder that train wrote"
        )


def read_price(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[float, float] | None:
    """Two prices, as in "0.15,0.60"."""
    if value is None:
        return None
    try:
        asked, answered = map(float, value.split(","))
    except ValueError:
        asked = answered = -1
    if not (0 <= asked <= MAX_NUMBER and 0 <= answered <= MAX_NUMBER):
        raise click.BadParameter(f"got {value!r}, expected two numbers, as in 0.15,0.60")
    return asked, answered
