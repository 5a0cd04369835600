"""Functions called in other processes: fresh interpreters, each behind a socket.

A process imports nothing but what it serves. It leaves signals to the process that started it,
in a session of its own, and ends when that one does, whatever it is busy with.
"""

import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from queue import LifoQueue
from typing import IO, Any, Generic, NoReturn, Self, TypeVar

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.saying import shown

T = TypeVar("T")
Answer = bytes | Sequence[bytes]  # in parts

START_SECONDS = 60.0
SOCKET_SECONDS = 30.0
_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2}
# More threads than one a process only fight for the cores. And glibc shall keep up to 32 MB that is
# free, in place of asking the kernel for clean memory for each image.
_SETTINGS = {
    "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(8 << 20), "MALLOC_TRIM_THRESHOLD_": str(32 << 20),
}  # fmt: skip
# A new interpreter that finds what this one would find.
_START = "import sys; sys.path[:] = {path!r}; from {module} import run; run({fd}, {file})"
_ERRORS = {b"input": InputError, b"other": HnclipError}
_DIED = b"died"
_HEADER = struct.Struct("<Q5s")  # of an answer: its number of bytes, and its kind


class Died(Exception):
    """A process that is gone, or had to go; the text says how."""


class InProcesses(Generic[T]):
    """A function that is called in processes, by as many threads; one that dies is replaced.

    Processes are started as they are needed, and end with the ``with`` block; calls that wait
    then fail. Answers are never unpickled: nothing that a decoder could be made to send is more
    than bytes or a message.

    Args:
        make: makes the function, once in each process. It is pickled, as are arguments.
        limit: processes; other calls wait for one.
        deadline: seconds for a call; None sets no bound.
    """

    def __init__(
        self, make: Callable[[], Callable[[T], Answer]], limit: int, deadline: float | None = None
    ) -> None:
        self.running: set[_Process] = set()
        self._make = make
        self._deadline = deadline
        self._lock = threading.Lock()
        self._is_closed = False
        self._free: LifoQueue[_Process | None] = LifoQueue()  # None: to be started
        for _ in range(limit):
            self._free.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            self._is_closed = True
            for process in self.running:
                process.end()

    def call(self, item: T) -> memoryview:
        """What the function returns.

        Raises:
            HnclipError: of the function or its making; or no process can be started, or the
                processes have been ended.
            Died: the process did; any other exception of the function ends it.
        """
        process = self._free.get()
        is_started = process is not None
        try:
            if process is None:
                process = self._start()
                process.receive(START_SECONDS)
                is_started = True
                process.send(self._make)
            process.send(item)
            kind, answer = process.answer(self._deadline)
            if kind == _DIED:
                raise Died(bytes(answer).decode())
        except Died as death:
            assert process is not None
            with self._lock:
                self._check_open()
                self.running.discard(process)
                how = str(death) or process.end(grace=5.0)
                process.end()
            process = None
            if is_started:
                raise Died(how) from None
            raise HnclipError(f"a process cannot start ({how})", hint="--workers 0") from None
        finally:
            self._free.put(process)
        if kind:
            raise _ERRORS[kind](bytes(answer).decode())
        return answer

    def _start(self) -> "_Process":
        with self._lock:
            self._check_open()
            process = _Process()
            self.running.add(process)
        return process

    def _check_open(self) -> None:
        if self._is_closed:
            raise HnclipError("the run has ended")


class _Process:
    """One process and the connection to it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        # Answers lie in a file in memory. A socket takes some 200 kB, and then a process would wait
        # until this one, perhaps busy, has read them.
        self._file = _memory()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # which it inherits
        try:
            start = _START.format(
                path=sys.path, module=__name__, fd=theirs.fileno(), file=self._file.fileno()
            )
            self._process = subprocess.Popen(
                [sys.executable, "-c", start],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=os.environ | _SETTINGS,
                pass_fds=[theirs.fileno(), self._file.fileno()],
                start_new_session=True,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
        self.pid = self._process.pid
        # One that is stopped neither takes what it is sent nor ends what it has begun to say.
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            ours.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", int(SOCKET_SECONDS), 0))
        self._connection = Connection(ours.detach())
        self._arrival = select.poll()
        self._arrival.register(self._connection, select.POLLIN)

    def send(self, message: Any) -> None:
        try:
            self._connection.send(message)
        except BlockingIOError:
            raise Died(f"it takes nothing for {SOCKET_SECONDS:g} seconds") from None
        except ConnectionError:
            pass  # what is gone while it is spoken to is noticed when it does not answer

    def receive(self, deadline: float | None) -> bytes:
        """Bytes, which must come within so many seconds, or it has `Died`."""
        try:
            if self._arrival.poll(deadline and deadline * 1000):
                return self._connection.recv_bytes()
        except (EOFError, OSError):
            raise Died from None
        raise Died(f"not done after {deadline:g} seconds")

    def answer(self, deadline: float | None) -> tuple[bytes, memoryview]:
        """The kind of an answer, and what it says."""
        import numpy as np  # here, because the processes do without

        size, kind = _HEADER.unpack(self.receive(deadline))
        file = self._file.fileno()
        # Other threads wait while a bytearray is filled with zeros.
        answer = np.empty(min(size, os.fstat(file).st_size), np.uint8).data
        # Read, not mapped: whoever shortens a file that is mapped ends those who look at it.
        if os.preadv(file, [answer], 0) < size:
            raise Died("its answer is cut short")
        return kind.rstrip(b"\0"), answer

    def end(self, grace: float = 0.0) -> str:
        """End it, after the time in which it may end by itself; how it ended, in words."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if grace:
                self._process.wait(grace)
        self._process.kill()
        code = self._process.wait()
        return f"exit code {code}" if code >= 0 else f"signal {-code} ({signal.strsignal(-code)})"


def _memory() -> IO[bytes]:
    """A file in memory, where the system has such."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("hnclip"), "r+b", buffering=0)
    from tempfile import TemporaryFile

    return TemporaryFile(buffering=0)


def run(fd: int, file: int) -> None:
    """A process's main: answer until the other side closes the socket."""
    threading.Thread(target=_end_with, args=(fd,), daemon=True).start()
    connection = Connection(fd)
    function = None
    with contextlib.suppress(EOFError, ConnectionError):
        connection.send_bytes(b"started")
        make = connection.recv()
        while True:
            item = connection.recv()
            try:
                function = function or make()
                kind, answer = b"", function(item)
            except HnclipError as error:
                kind = b"input" if isinstance(error, InputError) else b"other"
                answer = str(error).encode()
            except Exception as error:
                kind, answer = _DIED, shown(f"{type(error).__name__}: {error}").encode()
            size = os.pwritev(file, [answer] if isinstance(answer, bytes) else answer, 0)
            connection.send_bytes(_HEADER.pack(size, kind))


def _end_with(fd: int) -> NoReturn:
    """End this process when the other side of the socket does, whatever it is busy with."""
    hangup = select.poll()
    hangup.register(fd, 0)  # of a hang-up poll tells unasked
    hangup.poll()
    os._exit(0)
