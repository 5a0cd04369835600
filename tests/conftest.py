"""Shared fixtures: running hnclip as a real process, and where the real data lies."""

import gc
import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # Before torch is imported: workers and their processes share the cores among themselves.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import settings

from hnclip_cli import console, plugins
from hnclip_cli.errors import HnclipError

# A loaded machine is no failure; and where a change lands, the same examples are tried each time.
settings.register_profile("hnclip", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("hnclip")

ROOT = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with what takes long, so that no worker is left with it at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def environment() -> dict[str, str]:
    """The tests' environment, without the variables that hide buffering faults and cost time."""
    left_out = ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE")
    return {k: v for k, v in os.environ.items() if k not in left_out}


def run_hnclip(*args: object, stdin: bytes = b"", cwd: Path | None = None, timeout: float = 300):
    """Run hnclip in a real process; returns the finished process with bytes for output."""
    return subprocess.run(
        [sys.executable, "-m", "hnclip_cli", *map(str, args)],
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env=environment(),
        timeout=timeout,
    )


def parse_lines(output: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in output.splitlines()]


def to_lines(*records: dict[str, Any]) -> bytes:
    return b"".join(orjson.dumps(record) + b"\n" for record in records)


@pytest.fixture(autouse=True)
def untouched_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a command changes of its whole process does not reach the next one in this process."""
    monkeypatch.setattr(console, "verbosity", 1)
    monkeypatch.setenv(plugins.VARIABLE, "")
    monkeypatch.setattr(console, "is_ending", console.is_ending)
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real captions, photographs and annotation files, where there is one."""
    folder = Path(os.environ.get("HNCLIP_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set HNCLIP_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder as train writes it, of the built-in model with random weights."""
    from hnclip_cli.models.load import load_clip, save_clip

    folder = str(tmp_path_factory.mktemp("tiny") / "run")
    save_clip(load_clip("hnclip-tiny", device="cpu", seed=1), folder)
    return folder


@pytest.fixture(scope="session")
def parser():
    """The parser of captions; without spaCy's English pipeline its tests are skipped."""
    from hnclip_cli.language.caption import TAGS
    from hnclip_cli.language.parser import Parser

    try:
        return Parser(TAGS)
    except HnclipError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def candidates(parser):
    """All negatives that a kind proposes for a caption."""
    from hnclip_cli.negatives.analysis.rewriting import with_articles
    from hnclip_cli.negatives.kinds.registry import KINDS
    from hnclip_cli.streams.edits import apply_edits

    def propose(kind, text):
        (caption,) = parser.parse([text])
        found = KINDS[kind].edits(caption)
        if KINDS[kind].is_judged:
            found = [with_articles(caption, edits) for edits in found]
        return [apply_edits(text, edits) for edits in found]

    return propose
