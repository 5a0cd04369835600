"""The root command: its table of commands, and the one place that decides exit codes."""

import contextlib
import gc
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from typing import Any, NoReturn

import click

from hnclip_cli import __version__, console, plugins
from hnclip_cli.errors import ExitCode, HnclipError, ReaderGone, Stopped, lacking_memory
from hnclip_cli.lazy import LazyGroup
from hnclip_cli.saying import MAX_LINE, shown

# In the order of a pipeline. A new command is a file of its name, and a line here.
COMMANDS = {
    "data": "Make records: draw scenes, read the official files of a benchmark, find images.",
    "fit": "Count which words occur together in captions, for negatives --fitted.",
    "negatives": "Add hard negative captions: near-copies that are false of the image.",
    "refine": "Drop negatives that a text model recognizes without the image.",
    "mine": "Add the nearest captions or images of other groups as negatives.",
    "embed": "Embed images or texts of records as rows of one NPY array.",
    "train": "Train a CLIP model on images, captions and their hard negatives.",
    "score": "Score every caption of a record, true and negative, against its image.",
    "search": "Find the nearest rows of one array of embeddings for each row of another.",
    "eval": "Measure scored records: accuracy, matching, retrieval, each with its interval.",
    "compare": "Compare models on the same records: one table of any number of them.",
    "show": "Write one page that shows negatives, scored records, or logs of training.",
    "bench": "Score models on all benchmarks in a folder, and write one table of all numbers.",
    "fetch": "Fetch models into the cache, for machines without a network.",
    "plugins": "List what plug-ins add, and where it comes from.",
}


SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 80, "show_default": True}


# From SIGTERM on, until the process ends whatever it does.
UNWIND_SECONDS = 30.0

# What to lower where a command has too little memory: on a GPU, and on the host.
LOWER = {
    "train": (
        "--micro-batch auto, a smaller --batch-size or --negatives-per-caption, --lock image, "
        "or --set lora_rank 8",
        "--micro-batch 8, a smaller --batch-size or --negatives-per-caption, or fewer --workers",
    ),
    **dict.fromkeys(
        ("embed", "score", "bench"),
        (
            "a smaller --batch-size, or --precision bf16",
            "a smaller --batch-size, or fewer --workers",
        ),
    ),
}
LOWER_ELSEWHERE = ("--device cpu", "a part of the input, or fewer --workers")


class Pipeline(LazyGroup):
    """The root group, which maps every ending to an exit code."""

    def main(self, *args: Any, **settings: Any) -> Any:
        settings.setdefault("prog_name", "hnclip")  # also of python -m hnclip_cli
        with console.guarded_streams():
            return super().main(*args, **settings)

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        with _ending():  # --help and --version end here
            return super().make_context(*args, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        with _ending():
            result = super().invoke(ctx)
            console.flush_stdout()
        if isinstance(result, ExitCode):
            ctx.exit(result)
        return result


@contextlib.contextmanager
def _ending() -> Iterator[None]:
    """Say how something ends, and exit with the code for it."""
    try:
        yield
        return
    except ReaderGone:
        code = ExitCode.READER_GONE
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except Stopped as stopped:
        console.note(str(stopped))
        code = ExitCode.STOPPED
    except click.exceptions.Exit as ended:  # also of --help and --version, which click writes
        if ended.exit_code or sys.stdout is not None:
            raise
        console.complain("standard output is closed")
        code = ExitCode.FAILED
    except (SystemExit, click.Abort, click.exceptions.NoArgsIsHelpError):
        raise
    except click.ClickException as error:  # wrong usage, whatever plug-ins are in use
        vars(error)["message"] = shown(error.message, MAX_LINE)
        raise
    except BaseException as error:  # libraries in Rust panic with others than Exception
        if console.verbosity > 1:
            traceback.print_exception(error)
        console.complain(_in_words(error))
        code = ExitCode.FAILED
    raise click.exceptions.Exit(code)


def _in_words(error: BaseException) -> str:
    """The line for a failure that nobody else has put in words."""
    if isinstance(error, HnclipError):
        return str(error)
    if memory := lacking_memory(error):
        command = click.get_current_context(silent=True)
        lower = LOWER.get(str(command and command.invoked_subcommand), LOWER_ELSEWHERE)
        return f"out of {memory} memory; try {lower[memory == 'host']}"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if known := ", ".join(sorted(plugins.in_use)):
        said += f"; plug-ins in use: {known}"
    return f"{said}; try -v"


@click.group(
    cls=Pipeline,
    package="hnclip_cli.commands",
    table=COMMANDS,
    context_settings=SETTINGS,
)
@click.version_option(__version__, "-V", "--version", prog_name="hnclip")
def cli() -> None:
    """Make hard negatives for CLIP, train models with them, and measure the models.

    Most commands read JSONL records from a file or stdin, and write records to stdout (embed writes
    NPY), so you can chain them with |. Notes and errors go to stderr.

    \b
    Example:
      hnclip negatives --units caps.jsonl |
        hnclip train --model hnclip-tiny --steps 20 -o run/ > log.jsonl
      hnclip data benchmark sugarcrepe sugarcrepe/ --images val2017/ |
        hnclip score --model run/ | hnclip eval

    \b
    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 records were skipped,
    75 stopped with its state saved, 130 interrupted, 141 the reader of the pipe
    went away.
    """


def _terminate(signum: int, frame: object) -> None:
    # What the signal interrupts may take this for a failure of its own, and go on.
    last = threading.Timer(UNWIND_SECONDS, os._exit, [ExitCode.TERMINATED])
    last.daemon = True
    last.start()
    raise SystemExit(ExitCode.TERMINATED)


def main() -> None:
    """Run the command line; SIGTERM and SIGHUP unwind, so that half-written files are removed."""
    console.fill_closed()
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # nohup ignores it
        signal.signal(signal.SIGHUP, _terminate)  # the terminal was closed
    warnings.showwarning = lambda text, *details: console.note(f"warning: {text}")
    # Ctrl-C can also strike outside of invoke, while click parses or exits.
    try:
        cli()
    except KeyboardInterrupt:
        _leave(ExitCode.INTERRUPTED)
    except SystemExit as ending:
        _leave(ending.code)


def _leave(code: str | int | None) -> NoReturn:
    """Exit, at once where threads are still at work.

    Python ends such threads wherever they are, and where that is in C++ (a decoder's, torch's)
    the whole process aborts.
    """
    if code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED, ExitCode.STOPPED):
        console.drop(1)  # whoever reads it may have stopped, and flushing would wait for them
        with contextlib.suppress(OSError):
            if not console.has_room(2):
                console.drop(2)
    if isinstance(code, str):  # of a library
        console.complain(code)
        code = ExitCode.FAILED
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            console.drop(number)
    if threading.active_count() > 1:
        os._exit(code or 0)
    gc.freeze()  # else Python looks through all that torch has left, for half a second
    sys.exit(code)
