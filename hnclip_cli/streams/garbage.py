"""When Python looks for objects that only hold each other."""

import contextlib
import gc
from collections.abc import Iterator

# New objects before it looks. With its own 700 it would look through the same captions or rows
# again and again: an eighth of the time of negatives, a third of that of embeddings of captions.
COLLECT_AFTER = 200_000


@contextlib.contextmanager
def collecting_rarely() -> Iterator[None]:
    """It looks seldom meanwhile."""
    before = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER, 10, 10)
    try:
        yield
    finally:
        gc.set_threshold(*before)
