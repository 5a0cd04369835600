"""What is loaded, from where, and how long it takes: what -v says."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def _tell_nobody(line: str) -> None:
    return


# Told a line of each load; the command line sets it.
tell: Callable[[str], None] = _tell_nobody


@contextmanager
def timed(what: str, place: object) -> Iterator[None]:
    """Loads something from a place meanwhile."""
    begun = time.perf_counter()
    yield
    tell(f"{what}: loaded from {place} in {time.perf_counter() - begun:.1f} s")
