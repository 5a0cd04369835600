"""Batches of records worked on by several processes, results in the order of the batches.

spaCy's own ``n_process`` draws batches ahead without end and gives nothing back while the input
waits; here a batch goes to a process only when one is free, and while the input waits, results
are handed on. One thread, no locks: the calling process waits on everything at once.
"""

import gc
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import IO, Any, Generic, TypeVar

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.negatives.choosing.maker import NegativeMaker
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.live import submit_each, watched
from hnclip_cli.streams.records import Record, format_record

R = TypeVar("R")
Batch = Sequence[Record]
Function = Callable[[Batch], R]

# Records that go to a process at a time: enough for spaCy, few enough to share out evenly.
PIECE = 256
# New objects before Python looks for cycles: more than a batch makes. With its 700 it would look
# through the words of captions again and again, for an eighth of the time.
COLLECT_AFTER = 200_000
# Batches a process may be ahead of the slowest one.
AHEAD = 4

# More threads than one a process only fight for the cores.
_ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
# A new interpreter that imports what this one would import.
_START = (
    "import sys; sys.path[:] = {path!r}; from hnclip_cli.negatives.pool import serve; serve({fd})"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of a batch: its lines of output, the records left out, and what must end the
    run after them."""

    lines: bytes
    skipped: list[InputError]
    failure: InputError | None


class Answering:
    """Turn records into lines with their negatives; sets the garbage collector up for that.

    Args:
        make: makes the `NegativeMaker`.
        on_error: ``fail`` or ``skip``, as in `ErrorPolicy`.
    """

    def __init__(self, make: Callable[[], NegativeMaker], on_error: str) -> None:
        self._maker = make()
        gc.freeze()
        gc.set_threshold(COLLECT_AFTER, 10, 10)
        self._on_error = on_error

    def __call__(self, records: Batch) -> Answer:
        skipped: list[InputError] = []
        usable, failure = self._maker.usable(records, ErrorPolicy(self._on_error, skipped.append))
        for record, made in zip(usable, self._maker.negatives(usable), strict=True):
            record["negatives"] = made
        return Answer(b"".join(map(format_record, usable)), skipped, failure)


class Pool(Generic[R]):
    """Calls a function on batches of records, and hands the results on in their order.

    Memory is bounded: a batch is drawn only when a process is free to take it, and none runs
    more than a few batches ahead of the slowest.

    Args:
        make: makes the function, once in each process, so that what it loads is loaded there.
            It is pickled, as are batches and results.
        emit: takes each result, in the calling process; what it raises ends the run.
        workers: processes, started as they are needed; 0 and 1 work in the calling one.

    Leaving the ``with`` block ends the processes at once, however it is left.
    """

    def __init__(
        self, make: Callable[[], Function[R]], emit: Callable[[R], None], workers: int
    ) -> None:
        self._make = make
        self._emit = emit
        self._num_workers = workers
        self._function = make() if workers <= 1 else None
        self._workers: list[_Worker] = []
        self._results: dict[int, R | HnclipError] = {}
        self._num_sent = 0
        self._num_emitted = 0
        self._has_failed = False

    def __enter__(self) -> "Pool[R]":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            worker.kill()

    def watch(self, stream: IO[bytes]) -> IO[bytes]:
        """The stream; while it is waited for, results are handed on."""
        return stream if self._function else watched(stream, self.wait)

    def run(self, batches: Iterable[Batch]) -> None:
        """Work on all batches.

        Raises:
            HnclipError: of the source, after the results of all batches before it; of the
                function, in the place of its result; or a process died.
        """
        pieces = (
            batch[start : start + PIECE]
            for batch in batches
            for start in range(0, len(batch), PIECE)
        )
        failure = submit_each(pieces, self._submit, lambda: self._has_failed)
        while self._num_emitted < self._num_sent:
            self.wait()
        if failure:
            raise failure

    def wait(self, *files: int) -> bool:
        """Wait for a process to finish a batch, or for one of the open files to have bytes.

        Returns:
            Whether something may be read from the files.

        Raises:
            HnclipError: a process died.
        """
        busy = {worker.connection: worker for worker in self._workers if worker.batch is not None}
        if not busy:
            return True
        ready = wait([*busy, *files])
        try:
            for connection in ready:
                if connection in busy:
                    worker = busy[connection]
                    self._results[worker.number] = worker.receive()
            self._emit_in_order()
        except BaseException:
            self._has_failed = True
            raise
        return any(file in ready for file in files)

    def _submit(self, batch: Batch) -> None:
        if self._function:
            self._emit(self._function(batch))
            return
        worker = self._free_worker()
        while worker is None:
            self.wait()
            worker = self._free_worker()
        worker.send(self._num_sent, batch)
        self._num_sent += 1

    def _free_worker(self) -> "_Worker | None":
        if self._num_sent - self._num_emitted >= AHEAD * self._num_workers:
            return None
        for worker in self._workers:
            if worker.batch is None:
                return worker
        if len(self._workers) == self._num_workers:
            return None
        self._workers.append(_Worker(self._make))
        return self._workers[-1]

    def _emit_in_order(self) -> None:
        while self._num_emitted in self._results:
            result = self._results.pop(self._num_emitted)
            if isinstance(result, HnclipError):
                raise result
            self._emit(result)
            self._num_emitted += 1


class _Worker:
    """A process that works on one batch at a time.

    In a session of its own, so that Ctrl-C in the terminal reaches only the calling process,
    which then ends this one. Should that be killed, this one ends when it finds nobody listening.
    """

    def __init__(self, make: Callable[[], Function[Any]]) -> None:
        self.batch: Batch | None = None
        self.number = -1
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START.format(path=sys.path, fd=theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=os.environ | _ONE_THREAD,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self.connection = Connection(ours.detach())
        self._send(make)

    def send(self, number: int, batch: Batch) -> None:
        self.number, self.batch = number, batch
        self._send(batch)

    def receive(self) -> Any:
        """The result for the batch.

        Raises:
            HnclipError: the process died.
        """
        try:
            result = self.connection.recv()
        except (EOFError, ConnectionError):
            raise self._death() from None
        self.batch = None
        return result

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self.connection.close()

    def _send(self, message: object) -> None:
        try:
            self.connection.send(message)
        except ConnectionError:
            raise self._death() from None

    def _death(self) -> HnclipError:
        code = self._process.wait()
        how = f"exit code {code}" if code >= 0 else f"signal {-code} ({signal.strsignal(-code)})"
        return HnclipError(
            "a worker process died on these records or those that follow",
            where=self.batch[0].where if self.batch else "",
            got=how,
            hint="--workers 1, or fewer of them where memory ran out",
        )


def serve(fd: int) -> None:
    """Work on what comes through a socket until the other side closes it: a worker's main."""
    connection = Connection(fd)
    try:
        make = connection.recv()
        function = None
        while True:
            batch = connection.recv()
            try:
                function = function or make()
                result = function(batch)
            except HnclipError as error:
                result = error
            connection.send(result)
    except (EOFError, ConnectionError):
        pass
