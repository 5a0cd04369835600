"""Calls that wait for others, a bounded number at a time, answered in order as they are made."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from multiprocessing.connection import wait
from queue import SimpleQueue
from types import TracebackType
from typing import IO, Generic, TypeVar

from hnclip_cli.errors import InputError
from hnclip_cli.streams.live import submit_each, watched

T = TypeVar("T")
R = TypeVar("R")

# Items that may be begun before the first of them is done, for each call in flight.
AHEAD = 4


class InFlight(Generic[T, R]):
    """Calls a function on items in threads, and hands the results on in the order of the items.

    While the input waits, results are handed on; while the results wait, only so much input is
    read. Threads are daemons: leaving the ``with`` block, however, waits for none of them.

    Args:
        function: may raise `InputError`, which is the item's result; anything else that it raises
            ends the run at once.
        emit: takes each item and its result, in the calling thread; what it raises ends the run.
        limit: calls at a time.
    """

    def __init__(
        self, function: Callable[[T], R], emit: Callable[[T, R | InputError], None], limit: int
    ) -> None:
        self._function = function
        self._emit = emit
        self._limit = limit
        self._items: deque[T] = deque()  # sent and not emitted yet
        self._num_sent = 0
        self._num_emitted = 0
        self._num_threads = 0
        self._waiting: SimpleQueue[tuple[int, T] | None] = SimpleQueue()
        self._done: SimpleQueue[tuple[int, R | BaseException]] = SimpleQueue()
        self._results: dict[int, R | InputError] = {}
        self._has_failed = False
        self._lock = threading.Lock()
        self._is_closed = False
        self._bell, self._rope = os.pipe()  # a byte for each result

    def __enter__(self) -> "InFlight[T, R]":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for _ in range(self._num_threads):
            self._waiting.put(None)
        with self._lock:  # no thread may ring a bell whose number is another file by then
            self._is_closed = True
            os.close(self._bell)
            os.close(self._rope)

    def watch(self, stream: IO[bytes]) -> IO[bytes]:
        """The stream; while it is waited for, results are handed on."""
        return watched(stream, self._wait)

    def run(self, batches: Iterable[Iterable[T]]) -> None:
        """Call the function on all items of all batches.

        Raises:
            HnclipError: of the source, after the results of all items before it; of the function
                or of ``emit``, at once.
        """
        items = (item for batch in batches for item in batch)
        failure = submit_each(items, self._submit, lambda: self._has_failed)
        while self._items:
            self._wait()
        if failure:
            raise failure

    def _submit(self, item: T) -> None:
        while len(self._items) >= AHEAD * self._limit:
            self._wait()
        if self._num_threads < self._limit:
            threading.Thread(target=self._work, daemon=True).start()
            self._num_threads += 1
        self._items.append(item)
        self._waiting.put((self._num_sent, item))
        self._num_sent += 1

    def _wait(self, *files: int) -> bool:
        """Wait for a result, or for one of the open files to have bytes; emit what is due."""
        if files and not self._items:
            return True
        ready = wait([self._bell, *files])
        if self._bell in ready:
            os.read(self._bell, 1 << 16)
            try:
                self._collect()
            except BaseException:
                self._has_failed = True
                raise
        return any(file in ready for file in files)

    def _collect(self) -> None:
        failure = None
        while not self._done.empty():
            number, result = self._done.get()
            if isinstance(result, InputError) or not isinstance(result, BaseException):
                self._results[number] = result
            else:
                failure = failure or result
        while self._num_emitted in self._results:
            self._emit(self._items.popleft(), self._results.pop(self._num_emitted))
            self._num_emitted += 1
        if failure:
            raise failure

    def _work(self) -> None:
        while (order := self._waiting.get()) is not None:
            number, item = order
            result: R | BaseException
            try:
                result = self._function(item)
            except BaseException as error:  # handed to the calling thread, which raises it
                result = error
            with self._lock:
                if self._is_closed:
                    return
                self._done.put((number, result))
                os.write(self._rope, b".")
