"""Decoding processes under a real command that is stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import environment, to_lines
from tests.factories import make_records

pytestmark = pytest.mark.long


def descendants(pid):
    """Of all its threads."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(word) for task in tasks for word in task.read_text().split()]


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 75), (signal.SIGKILL, -9)])
def test_a_run_that_is_stopped_takes_its_decoders_along(tmp_path, tiny_run, signum, code):
    records = make_records(tmp_path, 6)
    process = subprocess.Popen(
        [sys.executable, "-m", "hnclip_cli", "train", "--model", tiny_run, "-o", "run",
         "--steps", "1000000", "--batch-size", "2", "--log-every", "1", "--objective", "clip"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(), cwd=tmp_path, process_group=0,
    )  # fmt: skip
    process.stdin.write(to_lines(*records))
    process.stdin.close()
    assert b'"loss"' in process.stdout.readline()
    pids = descendants(process.pid)
    assert pids
    os.killpg(process.pid, signum)
    process.stdout.read()
    assert process.wait(60) == code
    assert b"Traceback" not in process.stderr.read()
    deadline = time.monotonic() + 60
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(is_running, pids))
