"""Readers of official benchmark files: a name, and the function that turns files to records.

A new benchmark is a new file here and a line in ``READERS``.
"""

from collections.abc import Callable, Iterator
from typing import Any

from hnclip_cli.sources.benchmarks.official import Official
from hnclip_cli.sources.benchmarks.sugarcrepe import read_sugarcrepe

Reader = Callable[[Official], Iterator[dict[str, Any]]]

READERS: dict[str, Reader] = {
    "sugarcrepe": read_sugarcrepe,
}
