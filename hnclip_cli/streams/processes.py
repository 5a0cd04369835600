"""Work done by other processes: fresh interpreters, each behind a socket.

A process imports nothing but what it serves. It leaves signals to the process that started it,
in a session of its own, and ends when that one does, whatever it is busy with.
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from multiprocessing.connection import Connection
from queue import LifoQueue
from typing import Any, Generic, NoReturn, Self, TypeVar

from hnclip_cli.errors import HnclipError

T = TypeVar("T")
R = TypeVar("R")

_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2}
# More threads than one a process only fight for the cores.
_ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
# A new interpreter that finds what this one would find.
_START = (
    "import sys; sys.path[:] = {path!r}; from hnclip_cli.streams.processes import run; "
    "run({fd}, {serve!r})"
)


class Died(Exception):
    """A process that is gone, or had to go; the text says how."""


class Process:
    """One process and the connection to it.

    Args:
        serve: ``module:function``; called there with its end of the connection.
    """

    def __init__(self, serve: str) -> None:
        ours, theirs = socket.socketpair()
        with theirs, _signals_blocked():  # the new process inherits what is blocked
            start = _START.format(path=sys.path, fd=theirs.fileno(), serve=serve)
            self._process = subprocess.Popen(
                [sys.executable, "-c", start],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=os.environ | _ONE_THREAD,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self.pid = self._process.pid
        self._connection = Connection(ours.detach())
        self._arrival = select.poll()
        self._arrival.register(self._connection, select.POLLIN)

    def send(self, message: Any) -> None:
        """Pickle an object; bytes go as they are."""
        # What is gone while it is spoken to is noticed when it does not answer.
        with contextlib.suppress(ConnectionError):
            if isinstance(message, bytes):
                self._connection.send_bytes(message)
            else:
                self._connection.send(message)

    def receive(self) -> Any:
        """An object that the process has pickled.

        Raises:
            Died: the process has.
        """
        try:
            return self._connection.recv()
        except (EOFError, OSError):
            raise Died from None

    def receive_bytes(self, deadline: float) -> bytes:
        """Bytes, which must come within so many seconds.

        Raises:
            Died: the process has, or must.
        """
        try:
            if self._arrival.poll(deadline * 1000):
                return self._connection.recv_bytes()
        except (EOFError, OSError):
            raise Died from None
        raise Died(f"not done after {deadline:g} seconds")

    def end(self, grace: float = 0.0) -> str:
        """End it, after the time in which it may end by itself; how it ended, in words."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if grace:
                self._process.wait(grace)
        self._process.kill()
        code = self._process.wait()
        return f"exit code {code}" if code >= 0 else f"signal {-code} ({signal.strsignal(-code)})"


class Processes:
    """Up to so many processes, started as they are needed; one that dies is replaced.

    Args:
        serve: what each is started with, see `Process`.
        limit: how many.
        greet: what each is told first.

    Leaving the ``with`` block ends the processes at once; calls that wait for one fail.
    """

    def __init__(self, serve: str, limit: int, greet: Callable[[Process], None]) -> None:
        self._serve = serve
        self._greet = greet
        self._lock = threading.Lock()
        self._running: set[Process] = set()
        self._is_closed = False
        self._free: LifoQueue[Process | None] = LifoQueue()  # None: to be started
        for _ in range(limit):
            self._free.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    @property
    def pids(self) -> list[int]:
        """The processes that are running."""
        return [process.pid for process in self._running]

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            self._is_closed = True
            for process in self._running:
                process.end()

    def call(self, talk: Callable[[Process], R]) -> R:
        """What a free process answers; from any thread, which waits for one.

        Args:
            talk: speaks with the process.

        Raises:
            Died: the process did.
            HnclipError: no process can be started, or the processes have been ended.
        """
        process = self._free.get()
        try:
            if process is None:
                process = self._start()
            return talk(process)
        except Died as death:
            assert process is not None
            how = self._bury(process, death)
            process = None
            raise Died(how) from None
        finally:
            self._free.put(process)

    def _start(self) -> Process:
        with self._lock:
            self._check_open()
            process = Process(self._serve)
            self._running.add(process)
        try:
            self._greet(process)
        except Died as death:
            how = self._bury(process, death)
            raise HnclipError(f"a process cannot start ({how})", hint="--workers 0") from None
        return process

    def _bury(self, process: Process, death: Died) -> str:
        with self._lock:
            self._check_open()
            self._running.discard(process)
            reason = str(death)
            how = process.end(grace=0.0 if reason else 5.0)
        return reason or how

    def _check_open(self) -> None:
        if self._is_closed:
            raise HnclipError("the run has ended")


class InProcesses(Generic[T, R]):
    """A function that is called in processes; to be called from as many threads.

    Args:
        make: makes the function, once in each process, so that what it loads is loaded there.
            It is pickled, as are arguments and results.
        limit: processes.

    Leaving the ``with`` block ends the processes at once.
    """

    def __init__(self, make: Callable[[], Callable[[T], R]], limit: int) -> None:
        self.processes = Processes(f"{__name__}:serve", limit, lambda process: process.send(make))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.processes.close()

    def __call__(self, item: T) -> R:
        """
        Raises:
            HnclipError: of the function, or of its making.
            Died: the process did; any other exception of the function ends it, with a trace.
        """

        def talk(process: Process) -> Any:
            process.send(item)
            return process.receive()

        result: R | HnclipError = self.processes.call(talk)
        if isinstance(result, HnclipError):
            raise result
        return result


def serve(connection: Connection) -> None:
    """What a process of `InProcesses` does."""
    make = connection.recv()
    function = None
    while True:
        item = connection.recv()
        try:
            function = function or make()
            result = function(item)
        except HnclipError as error:
            result = error
        connection.send(result)


def run(fd: int, serve: str) -> None:
    """A process's main: serve until the other side closes the socket."""
    threading.Thread(target=_end_with, args=(fd,), daemon=True).start()
    module, _, name = serve.partition(":")
    with contextlib.suppress(EOFError, ConnectionError):
        getattr(import_module(module), name)(Connection(fd))


def _end_with(fd: int) -> NoReturn:
    """End this process when the other side of the socket does, whatever it is busy with."""
    hangup = select.poll()
    hangup.register(fd, 0)  # of a hang-up poll tells unasked
    hangup.poll()
    os._exit(0)


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
