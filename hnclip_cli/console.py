"""Standard streams, notes and progress: no other file touches them."""

import contextlib
import json
import os
import select
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any, TextIO, TypeVar, cast

from hnclip_cli.errors import ExitCode, HnclipError, InputError, ReaderGone
from hnclip_cli.saying import MAX_LINE, Printable, shown
from hnclip_cli.streams import loads
from hnclip_cli.streams.files import HashedStream, open_input_file
from hnclip_cli.streams.foreign import converting
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader, Shard
from hnclip_cli.streams.outputs import atomic_output
from hnclip_cli.streams.records import format_record

if TYPE_CHECKING:
    from hnclip_cli.streams.npy import Rows

T = TypeVar("T")

MAX_REPORTED = 10
DRAWN_SECONDS = 0.1  # between two texts of a `live_line`
_live: list[Any] = []  # the one that is drawn, of tqdm

# Set by -q and -v: 0 quiet, 1 normal, 2 verbose.
verbosity = 1


def _never() -> bool:
    return False


# Whether a signal has asked for an end that comes between two steps. Whoever reads what we say may
# have stopped, and is not waited for then.
is_ending: Callable[[], bool] = _never


def note(*lines: str) -> None:
    """Lines on stderr, unless -q."""
    if verbosity > 0:
        for text in lines:
            complain(text)


def be_verbose() -> None:
    """What -v does."""
    global verbosity
    verbosity, loads.tell = 2, _note_load


def _note_load(line: str) -> None:
    if verbosity > 1:
        note(line)


def complain(text: str) -> None:
    """A line on stderr, whatever the verbosity."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            if _comes_room(sys.stderr):
                for line in _live:
                    line.clear()
                print(f"hnclip: {shown(text, MAX_LINE)}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def guarded_streams() -> Iterator[None]:
    """Meanwhile others (click, warnings, tracebacks) write to the standard streams as we do.

    What comes to stderr is made printable, and failures of stdout are `_stdout_errors`.
    """
    streams = sys.stdout, sys.stderr
    if sys.stdout is not None:
        sys.stdout = cast(TextIO, _Stdout(sys.stdout))
    if sys.stderr is not None:
        sys.stderr = cast(TextIO, Printable(sys.stderr))
    try:
        yield
    finally:
        if sys.stderr is not None:
            sys.stderr.flush()
        sys.stdout, sys.stderr = streams


def _draws() -> bool:
    """Whether progress is drawn: only on a terminal and without -q."""
    return verbosity > 0 and sys.stderr is not None and sys.stderr.isatty()


def progress(
    items: Iterable[T], *, unit: str, total: int | None = None, says: object = ""
) -> Iterable[T]:
    """Draw a progress bar on stderr while iterating, and what ``says`` is then as a string."""
    if not _draws():
        return items
    return _drawn(items, unit, total, says)


def reading(items: Iterable[T], reader: RecordReader, *, says: object = "") -> Iterable[T]:
    """Draw how far a reader is, of as many records as its file has, while others iterate."""
    if not _draws():
        return items
    return _drawn_reading(items, reader, says)


def _drawn_reading(items: Iterable[T], reader: RecordReader, says: object) -> Iterator[T]:
    from tqdm import tqdm

    with tqdm(unit="record", total=reader.count_lines(), file=sys.stderr) as bar:
        for item in items:
            bar.set_postfix_str(str(says), refresh=False)
            bar.update(reader.num_lines - bar.n)
            yield item


def _drawn(items: Iterable[T], unit: str, total: int | None, says: object) -> Iterator[T]:
    from tqdm import tqdm

    with tqdm(items, unit=unit, total=total, file=sys.stderr) as bar:
        for item in bar:
            bar.set_postfix_str(str(says), refresh=False)
            yield item


@contextlib.contextmanager
def live_line() -> Iterator[Callable[[str], None]]:
    """What draws a text in place of the one before, on a terminal only, and without -q."""
    drawn_at = 0.0

    def show(text: str) -> None:
        nonlocal drawn_at
        if not _draws():
            return
        if not _live:
            from tqdm import tqdm

            _live.append(tqdm(bar_format="{desc}", file=sys.stderr))
        width = shutil.get_terminal_size().columns - 1  # a longer one would not be replaced
        is_time = time.monotonic() - drawn_at > DRAWN_SECONDS
        _live[0].set_description_str(text[:width], refresh=is_time)
        drawn_at = time.monotonic() if is_time else drawn_at

    try:
        yield show
    finally:
        while _live:
            _live.pop().close()  # which draws the last text


def wants_table() -> bool:
    """Whether a person reads standard output."""
    return sys.stdout is not None and sys.stdout.isatty()


def as_table(format_: str | None, output: str) -> bool:
    """Whether to write a table: as ``--format`` says, else where a person reads it."""
    return format_ == "table" or (format_ is None and output == "-" and wants_table())


class Run(contextlib.ExitStack):
    """One run of a command: the files that it opens, and the records that it skips.

    The first skipped records are named on stderr, and all of them with -v, as is what is odd.
    """

    def __init__(self, on_error: str, keys: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.keys = keys or {}  # as of `RecordReader`
        self.policy = ErrorPolicy(on_error, self._name_skipped, self._name_odd)

    def read(self, path: str, shard: Shard | None = None) -> RecordReader:
        """The records of a file, as `open_input` opens it."""
        stream = self.enter_context(open_records(path))
        return RecordReader(stream, path, self.policy, shard, keys=self.keys)

    def read_hashed(self, path: str) -> tuple[RecordReader, HashedStream]:
        """Likewise, and what knows the hash of the file when all is read."""
        stream = HashedStream(self.enter_context(open_records(path)))
        return RecordReader(cast(IO[bytes], stream), path, self.policy), stream

    def rows(self, path: str) -> "Rows":
        """The rows of an NPY file, likewise, or of a folder of them."""
        from hnclip_cli.streams.npy import Rows

        if path != "-" and os.path.isdir(path):
            return Rows.from_folder(path)
        return Rows.from_npy(self.enter_context(open_input(path)), path)

    def create(self, path: str, *, binary: bool = False) -> IO[bytes]:
        """A file to write, as `open_output` opens it."""
        return self.enter_context(open_output(path, binary=binary))

    def __exit__(self, kind: Any, failure: BaseException | None, trace: Any) -> bool | None:
        """Close all; what fails there does not hide why it was closed."""
        try:
            return super().__exit__(kind, failure, trace)
        except Exception as error:
            if failure is None or error is failure:
                raise
            if str(error) != str(failure):  # a disk that is full is so for each file
                complain(f"and while that was cleaned up: {error}")
            return False

    def end(self) -> ExitCode:
        """Say how many records were skipped, and how much was odd."""
        for what, count in self.policy.num_odd.items():
            note(f"{what}: {count}" + ("" if verbosity > 1 else ", named with -v"))
        if count := self.policy.num_skipped:
            complain(f"skipped {count} bad record{'' if count == 1 else 's'}")
        return self.policy.exit_code

    def _name_odd(self, what: str, where: str) -> None:
        if verbosity > 1:
            note(f"{where}: {what}")

    def _name_skipped(self, error: InputError) -> None:
        if self.policy.num_skipped <= MAX_REPORTED or verbosity > 1:
            note(f"skipped: {error}")
        elif self.policy.num_skipped == MAX_REPORTED + 1:
            note("skipped: and more, named with -v")


@contextlib.contextmanager
def open_input(path: str) -> Iterator[IO[bytes]]:
    """Open a file, or standard input for ``-``; `HnclipError` where that cannot be read."""
    if path != "-":
        with open_input_file(path) as stream:
            yield stream
        return
    if sys.stdin is None:
        raise HnclipError("standard input is closed", where="-", hint="a file name as INPUT")
    if sys.stdin.isatty():
        note("reading records from the terminal; Ctrl-D ends them, --help explains")
    yield sys.stdin.buffer


def open_records(path: str) -> contextlib.AbstractContextManager[IO[bytes]]:
    """`open_input` for records; a folder is told what turns it into some."""
    if path != "-" and os.path.isdir(path):
        raise HnclipError("a folder, not a file of records", where=path, hint=converting(path))
    return open_input(path)


@contextlib.contextmanager
def open_output(path: str, *, binary: bool = False) -> Iterator[IO[bytes]]:
    """Open a file that appears whole or not at all, or standard output for ``-``.

    Raises:
        HnclipError: it cannot be written, or it is a terminal and the data ``binary``.
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


def write_records(records: Iterable[dict[str, Any]], out: IO[bytes], at_once: int = 1) -> int:
    """Write records as soon as so many of them are there; returns how many there were."""
    count = 0
    for count, record in enumerate(records, 1):
        out.write(format_record(record))
        if count % at_once == 0:
            out.flush()
    return count


def write_log(line: bytes, out: IO[bytes]) -> None:
    """Write and hand on; what nobody reads is lost where `is_ending`."""
    for start in range(0, len(line), select.PIPE_BUF):
        if not _comes_room(out):
            return
        out.write(line[start : start + select.PIPE_BUF])
        out.flush()


def _comes_room(stream: Any) -> bool:
    """Wait until writing ``PIPE_BUF`` bytes would not wait; False where `is_ending` before."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return True
    while not has_room(descriptor, 1.0):
        if is_ending():
            return False
    return True


def has_room(descriptor: int, seconds: float = 0.0) -> bool:
    """Whether there is room for ``PIPE_BUF`` bytes, or comes in time; only pipes may have none."""
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return True
    writable = select.poll()
    writable.register(descriptor, select.POLLOUT)
    return bool(writable.poll(1000 * seconds))


def write_listing(
    entries: Iterable[dict[str, Any]], table: Callable[[], str], format_: str | None, output: str
) -> None:
    """Write a line of JSON for each entry, or the table of all, as `as_table` says."""
    with open_output(output) as out:
        if as_table(format_, output):
            out.write(table().encode())
        else:
            for entry in entries:
                out.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")


class _Stdout:
    """Standard output whose failures cannot be taken for those of another pipe or file.

    It does not seek, also where it is redirected to a file: the shell may append to that file.
    """

    def __init__(self, stream: IO[Any]) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, data: Any) -> int:
        if data == "":  # click tries; a full device refuses even that
            return 0
        with _stdout_errors():
            written = self._stream.write(data)
            while written < len(data):  # where PYTHONUNBUFFERED is set, a write may take a part
                written += self._stream.write(data[written:])
            return written

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
        drop(1)
        raise ReaderGone from None
    except OSError as error:
        drop(1)
        raise HnclipError(
            f"cannot write it: {error.strerror}", where="standard output", hint="-o FILE"
        ) from None


def fill_closed() -> None:
    """Point standard streams that are closed at nothing.

    Else the next file that is opened takes the number of one, and gets what libraries say; and
    click writes its errors to standard output.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)


def flush_stdout() -> None:
    """Hand on what was written to standard output; fails as writing to it does."""
    if sys.stdout is not None:
        _Stdout(sys.stdout).flush()


def drop(descriptor: int) -> None:
    """Point standard output (1) or error (2) at nothing: Python's flush at exit cannot fail again.

    Nor can it wait there.
    """
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
