"""Work done ahead in threads, handed out in order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

from hnclip_cli.errors import InputError

T = TypeVar("T")
R = TypeVar("R")


def map_ahead(
    function: Callable[[T], R], items: Iterable[T], workers: int, depth: int = 64
) -> Generator[R, None, None]:
    """``map``, with up to ``depth`` results computed ahead by threads.

    Order and results are those of ``map``: an exception of the function comes where its result
    would have come, one of the source after the results of all items before it. With
    ``workers`` 0 nothing runs ahead. The items are drawn by the calling thread.

    Whoever stops early, or ends the program, does not wait for the threads.
    """
    if workers == 0:
        yield from map(function, items)
        return
    source = iter(items)
    failure: Exception | None = None
    pending: deque[Future[R]] = deque()
    jobs: SimpleQueue[tuple[Future[R], T] | None] = SimpleQueue()
    for _ in range(workers):
        Thread(target=_work, args=(function, jobs), daemon=True).start()
    try:
        exhausted = False
        while pending or not exhausted:
            while not exhausted and len(pending) < depth:
                try:
                    item = next(source)
                except StopIteration:
                    exhausted = True
                except Exception as error:
                    exhausted, failure = True, error
                else:
                    pending.append(Future())
                    jobs.put((pending[-1], item))
            if pending:
                yield pending.popleft().result()
        if failure:
            raise failure
    finally:
        for future in pending:
            future.cancel()
        for _ in range(workers):
            jobs.put(None)


def _work(function: Callable[[T], R], jobs: "SimpleQueue[tuple[Future[R], T] | None]") -> None:
    """What each thread does."""
    while job := jobs.get():
        future, item = job
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(function(item))
            except BaseException as error:
                future.set_exception(error)


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
