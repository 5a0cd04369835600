"""Rows of images and captions on disk, so that no run encodes again what one has encoded."""

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable
from typing import Any, Self

import numpy as np

from hnclip_cli.errors import HnclipError


class RowStore:
    """Rows by what they are of, in one SQLite file; several models may share it.

    A row is found again only where all that it depends on is the same: the model, as its settings
    say, and the text, or the image file by its path, size and time of change.

    Args:
        path: of the file, made where it is not there.
        settings: all that decides a row beside the input, as `Clip.settings` gives it.

    Raises:
        HnclipError: the file cannot be opened, or is no such store.
    """

    def __init__(self, path: str, settings: dict[str, str]) -> None:
        self._path, self._settings = path, json.dumps(settings, sort_keys=True).encode()
        with self._naming():
            self._file = sqlite3.connect(path)
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS rows (key BLOB PRIMARY KEY, row BLOB) WITHOUT ROWID"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self._file.close()

    def key(self, *content: Any, image: str | None = None) -> bytes:
        """What stands for an input: texts, numbers and lists of them, and an image file."""
        if image is not None:
            with contextlib.suppress(OSError, ValueError):  # whoever decodes it will say so
                status = os.stat(image)
                content = (*content, os.path.realpath(image), status.st_size, status.st_mtime_ns)
        data = json.dumps(content).encode()
        return hashlib.blake2b(self._settings + data, digest_size=16).digest()

    def get(self, key: bytes) -> np.ndarray | None:
        """The row (D,), float32, or None."""
        with self._naming():
            found = self._file.execute("SELECT row FROM rows WHERE key = ?", (key,)).fetchone()
        return None if found is None else np.frombuffer(found[0], np.float32)

    def put(self, rows: Iterable[tuple[bytes, np.ndarray]]) -> None:
        """Keep rows (D,) for certain."""
        pairs = [(key, np.asarray(row, np.float32).tobytes()) for key, row in rows]
        with self._naming(), self._file:
            self._file.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?)", pairs)

    @contextlib.contextmanager
    def _naming(self) -> Any:
        try:
            yield
        except sqlite3.Error as error:
            raise HnclipError(
                f"cannot keep embeddings: {error}", where=self._path, hint="removing the file"
            ) from None
