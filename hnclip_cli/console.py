"""The process's edges: standard streams, notes, progress. Nothing else touches them."""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from typing import IO, Any, TypeVar, cast

from hnclip_cli.errors import HnclipError, InputError, ReaderGone
from hnclip_cli.streams.files import atomic_output, open_input_file
from hnclip_cli.streams.jsonl import ErrorPolicy

T = TypeVar("T")

MAX_REPORTED = 10

# Set by -q and -v: 0 quiet, 1 normal, 2 verbose.
verbosity = 1


def note(text: str) -> None:
    """A line on stderr, unless -q."""
    if verbosity > 0:
        _to_stderr(text)


def complain(text: str) -> None:
    """A line on stderr, whatever the verbosity."""
    _to_stderr(text)


def _to_stderr(text: str) -> None:
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(f"hnclip: {text}", file=sys.stderr, flush=True)


def progress(items: Iterable[T], *, unit: str, total: int | None = None) -> Iterable[T]:
    """Draw a progress bar on stderr while iterating, only on a terminal and without -q."""
    if verbosity == 0 or sys.stderr is None or not sys.stderr.isatty():
        return items
    from tqdm import tqdm

    return cast(Iterable[T], tqdm(items, unit=unit, total=total, file=sys.stderr))


def wants_table() -> bool:
    """Whether a person reads standard output."""
    return sys.stdout is not None and sys.stdout.isatty()


def as_table(format_: str | None, output: str) -> bool:
    """Whether to write a table: as ``--format`` says, else where a person reads it."""
    return format_ == "table" or (format_ is None and output == "-" and wants_table())


class SkipReport(ErrorPolicy):
    """An error policy that names the first skipped records on stderr, and all of them with -v."""

    def __init__(self, on_error: str) -> None:
        super().__init__(on_error, self._name)

    def _name(self, error: InputError) -> None:
        if self.num_skipped <= MAX_REPORTED or verbosity > 1:
            note(f"skipped: {error}")
        elif self.num_skipped == MAX_REPORTED + 1:
            note("skipped: and more, named with -v")

    def close(self) -> None:
        if self.num_skipped:
            plural = "" if self.num_skipped == 1 else "s"
            complain(f"skipped {self.num_skipped} bad record{plural}")


@contextlib.contextmanager
def error_policy(on_error: str) -> Iterator[ErrorPolicy]:
    """The policy of a whole run; says at the end how many records were skipped."""
    policy = SkipReport(on_error)
    yield policy
    policy.close()


@contextlib.contextmanager
def open_input(path: str) -> Iterator[IO[bytes]]:
    """Open a file, or standard input for ``-``.

    Raises:
        HnclipError: the file cannot be read, or standard input is closed.
    """
    if path != "-":
        with open_input_file(path) as stream:
            yield stream
        return
    if sys.stdin is None:
        raise HnclipError("standard input is closed", where="-", hint="a file name as INPUT")
    if sys.stdin.isatty():
        note("reading records from the terminal; Ctrl-D ends them, --help explains")
    yield sys.stdin.buffer


@contextlib.contextmanager
def open_output(path: str, *, binary: bool = False) -> Iterator[IO[bytes]]:
    """Open a file that appears whole or not at all, or standard output for ``-``.

    Args:
        path: file name, or ``-``.
        binary: the data is not text, so a terminal is refused.

    Raises:
        HnclipError: the file cannot be written, or standard output is closed or a terminal that
            would be sent binary data.
        ReaderGone: the reader of the pipe went away.
    """
    if path != "-":
        with atomic_output(path) as stream:
            yield stream
        return
    if sys.stdout is None:
        raise HnclipError("standard output is closed", hint="-o FILE")
    if binary and sys.stdout.isatty():
        raise HnclipError("not writing binary data to a terminal", hint="-o FILE, or a pipe")
    stdout = _Stdout(sys.stdout.buffer)
    yield cast(IO[bytes], stdout)
    stdout.flush()


def write_records(records: Iterable[dict[str, Any]], out: IO[bytes]) -> None:
    """Write each record as soon as it is there."""
    from hnclip_cli.streams.records import format_record

    for record in records:
        out.write(format_record(record))
        out.flush()


class _Stdout:
    """Standard output whose failures cannot be taken for those of another pipe or file.

    It does not seek, also where it is redirected to a file: the shell may append to that file.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def write(self, data: Any) -> int:
        with _stdout_errors():
            return self._stream.write(data)

    def flush(self) -> None:
        with _stdout_errors():
            self._stream.flush()

    def seekable(self) -> bool:
        return False


@contextlib.contextmanager
def _stdout_errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        drop_stdout()
        raise ReaderGone from None
    except OSError as error:
        drop_stdout()
        raise HnclipError(
            f"cannot write it: {error.strerror}", where="standard output", hint="-o FILE"
        ) from None


def drop_stdout() -> None:
    """Point standard output at nothing, so that Python's flush at exit cannot fail again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
