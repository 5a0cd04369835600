"""Work done ahead in threads, handed out in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from hnclip_cli.errors import InputError

T = TypeVar("T")
R = TypeVar("R")


def map_ahead(
    function: Callable[[T], R], items: Iterable[T], workers: int, depth: int = 64
) -> Iterator[R]:
    """``map``, with up to ``depth`` results computed ahead by threads.

    Order and results are those of ``map``: an exception of the function comes where its result
    would have come, one of the source after the results of all items before it. With
    ``workers`` 0 nothing runs ahead. The items are drawn by the calling thread.
    """
    if workers == 0:
        yield from map(function, items)
        return
    source = iter(items)
    failure: Exception | None = None
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            exhausted = False
            while pending or not exhausted:
                while not exhausted and len(pending) < depth:
                    try:
                        pending.append(pool.submit(function, next(source)))
                    except StopIteration:
                        exhausted = True
                    except Exception as error:
                        exhausted, failure = True, error
                if pending:
                    yield pending.popleft().result()
            if failure:
                raise failure
        finally:
            for future in pending:
                future.cancel()


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
