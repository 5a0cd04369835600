"""An input stream that lets other work be finished while there is nothing to read."""

import io
from collections.abc import Callable, Iterable
from typing import IO, Any, TypeVar, cast

from hnclip_cli.errors import HnclipError

T = TypeVar("T")


def watched(stream: IO[bytes], wait: Callable[[int], bool]) -> IO[bytes]:
    """The stream, which calls ``wait`` before each read until that returns True.

    Args:
        stream: one that is no file (or a decompressed one) is returned as it is.
        wait: takes the file descriptor; waits for it or for other things, does what there is to
            do, and returns whether the file may be read.
    """
    if not isinstance(stream, io.BufferedReader):
        return stream
    return cast(IO[bytes], _Watched(stream, wait))


def submit_each(
    items: Iterable[T], submit: Callable[[T], None], has_failed: Callable[[], bool]
) -> HnclipError | None:
    """Submit items until they end or their source fails.

    Args:
        items: drawn one at a time.
        submit: takes one.
        has_failed: whether the submitted work has failed. It may while the source waits for
            input, and then its error comes out of the source.

    Returns:
        The source's own error, to be raised behind the results of all items before it.

    Raises:
        HnclipError: of the submitted work.
    """
    source = iter(items)
    while True:
        try:
            item = next(source)
        except StopIteration:
            return None
        except HnclipError as error:
            if has_failed():
                raise
            return error
        submit(item)


class _Watched:
    def __init__(self, stream: io.BufferedReader, wait: Callable[[int], bool]) -> None:
        self._stream = stream
        self._wait = wait

    def read1(self, size: int) -> bytes:
        # The buffer is empty here: read1 of as much as a buffer or more leaves nothing in it.
        while not self._wait(self._stream.fileno()):
            pass
        return self._stream.read1(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
