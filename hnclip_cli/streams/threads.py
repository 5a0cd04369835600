"""Work done ahead in threads, its results in the order of the items."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing, suppress
from multiprocessing.connection import Pipe, wait
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

from hnclip_cli.errors import InputError

T = TypeVar("T")
R = TypeVar("R")


def within(seconds: float, function: Callable[[], R]) -> R:
    """Call a function in a thread that is left behind when it does not return in time.

    So signals are heard meanwhile, whatever the function waits for.

    Raises:
        TimeoutError: it did not.
    """
    future: Future[R] = Future()

    def call() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=call, daemon=True).start()
    return future.result(seconds)


def map_ahead(
    function: Callable[[T], R], items: Iterable[T], workers: int, depth: int = 64
) -> Generator[R, None, None]:
    """``map``, with up to ``depth`` results computed ahead by threads; see `map_arriving`."""
    return map_arriving(function, ([item] for item in items), workers, depth)


def map_arriving(
    function: Callable[[T], R],
    batches: Iterable[Iterable[T]],
    workers: int,
    depth: int = 64,
    file: int | None = None,
) -> Generator[R, None, None]:
    """A function's results on the items of batches, computed ahead by threads, in order.

    An `InputError` of the function comes where its result would have come, anything else that it
    raises ends the work at once. An error of the source comes after the results of all items
    before it. The items are drawn by the calling thread. Whoever stops early, or ends the
    program, does not wait for the threads.

    Args:
        function: called from several threads; with ``workers`` 0 in line, and nothing is ahead.
        batches: items as they come; a batch may be empty.
        workers: threads.
        depth: items that may be begun before the first of them is done.
        file: where the batches are read from, each by one read. While nothing has arrived there,
            results are handed out; without it they wait for the next batch.
    """
    if workers == 0:
        for batch in batches:
            yield from map(function, batch)
        return
    source = iter(batches)
    waiting: deque[T] = deque()
    pending: deque[Future[R]] = deque()
    is_exhausted = False
    failure: Exception | None = None
    with closing(_Crew(function, workers)) as crew:
        while pending or waiting or not is_exhausted:
            has_room = len(pending) < depth
            if waiting and has_room:
                pending.append(crew.submit(waiting.popleft()))
            elif not is_exhausted and has_room and (not pending or file is None or wait([file], 0)):
                try:
                    waiting.extend(next(source))
                except StopIteration:
                    is_exhausted = True
                except Exception as error:
                    is_exhausted, failure = True, error
            elif pending and pending[0].done():
                yield pending.popleft().result()
            elif crew.failure:
                raise crew.failure
            elif pending:
                crew.wait(None if is_exhausted or not has_room else file)
        if failure:
            raise failure


class _Crew(Generic[T, R]):
    """Threads that call a function and ring a bell after each call; closing waits for none.

    The bell is a pipe, which can be waited for together with a file.
    """

    def __init__(self, function: Callable[[T], R], size: int) -> None:
        self.failure: BaseException | None = None
        self._function = function
        self._jobs: SimpleQueue[tuple[Future[R], T] | None] = SimpleQueue()
        self._bell, self._rope = Pipe(duplex=False)
        os.set_blocking(self._rope.fileno(), False)
        self._is_closed = False
        self._threads = [Thread(target=self._work, daemon=True) for _ in range(size)]
        for thread in self._threads:
            thread.start()

    def submit(self, item: T) -> Future[R]:
        future: Future[R] = Future()
        self._jobs.put((future, item))
        return future

    def wait(self, file: int | None) -> None:
        """Until a call has been finished, or the file can be read."""
        if self._bell in wait([self._bell, file] if file is not None else [self._bell]):
            os.read(self._bell.fileno(), 1 << 16)

    def close(self) -> None:
        self._is_closed = True
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        while not (self._is_closed or self.failure) and (job := self._jobs.get()):
            future, item = job
            try:
                future.set_result(self._function(item))
            except BaseException as error:
                if not isinstance(error, InputError):
                    self.failure = self.failure or error
                future.set_exception(error)
            with suppress(BlockingIOError):  # full: it is ringing already
                os.write(self._rope.fileno(), b".")


def chunked(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of ``size`` items, the last one shorter.

    A bad record does not take those before it along: they come out before its error.
    """
    chunk: list[T] = []
    try:
        for item in items:
            chunk.append(item)
            if len(chunk) == size:
                yield chunk
                chunk = []
    except InputError:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk
