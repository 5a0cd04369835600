"""The root command: its table of commands, and the one place that decides exit codes."""

import contextlib
import os
import signal
import sys
import threading
from typing import Any, NoReturn

import click

from hnclip_cli import __version__, console, plugins
from hnclip_cli.errors import ExitCode, HnclipError, ReaderGone, Stopped
from hnclip_cli.lazy import LazyGroup

# In the order of a pipeline. A new command is a file of its name, and a line here.
COMMANDS = {
    "data": "Make records: draw scenes, read the official files of a benchmark, find images.",
    "fit": "Fit a model of what goes with what, for negatives --fitted.",
    "negatives": "Add hard negative captions: near-copies that are false of the image.",
    "refine": "Drop the negatives that the text alone gives away.",
    "mine": "Add the nearest captions or images of other groups as negatives.",
    "embed": "Embed images or texts of records as rows of one NPY array.",
    "train": "Train a CLIP model on images, captions and their hard negatives.",
    "score": "Score every caption of a record, true and negative, against its image.",
    "search": "Find the nearest rows of one array of embeddings for each row of another.",
    "eval": "Measure scored records: accuracy, matching, retrieval, each with its interval.",
    "compare": "Compare models on the same records: each number, and its change from the first.",
    "plugins": "List what plug-ins add, and where it comes from.",
}


SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True}


class Pipeline(LazyGroup):
    """The root group, which maps every ending to an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
        except ReaderGone:
            ctx.exit(ExitCode.READER_GONE)
        except KeyboardInterrupt:
            ctx.exit(ExitCode.INTERRUPTED)
        except Stopped as stopped:
            console.note(str(stopped))
            ctx.exit(ExitCode.STOPPED)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise  # wrong usage and help, whatever plug-ins are in use
        except Exception as error:
            said = _in_words(error)
            if console.verbosity > 1 or not said:
                raise
            console.complain(said)
            ctx.exit(ExitCode.FAILED)
        if isinstance(result, ExitCode):
            ctx.exit(result)
        return result


def _in_words(error: Exception) -> str | None:
    """The line for a failure; None for one of our own making."""
    if isinstance(error, HnclipError):
        return str(error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    if known := ", ".join(sorted(plugins.in_use)):
        return f"{type(error).__name__}: {error}; plug-ins in use: {known}; try -v"
    return None


@click.group(
    cls=Pipeline,
    package="hnclip_cli.commands",
    table=COMMANDS,
    context_settings=SETTINGS,
)
@click.version_option(__version__, prog_name="hnclip")
def cli() -> None:
    """Teach CLIP models composition with hard negatives, in pipes.

    Every command reads and writes JSONL records (embed writes NPY) on stdin and stdout, so they
    chain with | and with each other's files. Data goes to stdout, all else to stderr.

    \b
    Example:
      hnclip negatives caps.jsonl |
        hnclip train --model hnclip-tiny --steps 20 -o run/ > log.jsonl
      hnclip data benchmark sugarcrepe sugarcrepe/ --images val2017/ |
        hnclip score --model run/ | hnclip eval

    \b
    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 records were skipped, 75 stopped with its
    state saved, 130 interrupted, 141 the reader of the pipe went away.
    """


def _terminate(signum: int, frame: object) -> None:
    raise SystemExit(ExitCode.TERMINATED)


def main() -> None:
    """Run the command line; SIGTERM unwinds, so that half-written files are removed."""
    signal.signal(signal.SIGTERM, _terminate)
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
    if code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
        console.drop_stdout()  # whoever reads it may have stopped, and flushing would wait for them
    if threading.active_count() > 1 and isinstance(code, int):
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
        os._exit(code)
    sys.exit(code)
