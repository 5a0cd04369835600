"""One run in real processes, ended in every way and taken up again, against one left alone."""

import fcntl
import hashlib
import os
import select
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from hnclip_cli.cli import cli
from hnclip_cli.training.checkpoints import STATE_NAME
from tests.conftest import environment, to_lines
from tests.factories import make_records

pytestmark = pytest.mark.long
COMMAND = [
    "train", "--model", "hnclip-tiny-vit", "--batch-size", "3", "--lr", "1e-3", "--steps", "20",
    "--objective", "ce-clip",
    "--checkpoint-every", "2", "--log-every", "1", "--resume", "r.jsonl", "-o",
]  # fmt: skip


def end(folder, how):
    """Go on with the run until its first line, and end it; exit code and standard error."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hnclip_cli", *COMMAND, "ended"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder, env=environment(),
    )  # fmt: skip
    assert b'"step":' in process.stdout.readline()
    if how == "log":
        process.stdout.close()
        said = process.stderr.read()
    else:
        process.send_signal(how)
        _, said = process.communicate(timeout=300)
    return process.wait(300), said.decode().splitlines()


def weights(folder):
    return hashlib.sha256((folder / "open_clip_model.safetensors").read_bytes()).hexdigest()


def test_a_run_that_was_ended_in_every_way_gives_the_weights_of_one_that_was_not(
    tmp_path, monkeypatch
):
    (tmp_path / "r.jsonl").write_bytes(to_lines(*make_records(tmp_path)))

    code, said = end(tmp_path, "log")  # as `head` does
    assert (code, said) == (141, [])
    assert (tmp_path / "ended" / STATE_NAME).exists()  # nothing is lost

    code, (going_on, stopped) = end(tmp_path, signal.SIGTERM)
    assert code == 75
    assert going_on.startswith("hnclip: going on after step ")
    assert stopped.startswith("hnclip: stopped by a signal after step ") and "--resume" in stopped

    assert end(tmp_path, signal.SIGKILL)[0] == -signal.SIGKILL
    killed_while_saving = {path.name for path in (tmp_path / "ended").glob(".*.tmp")}

    code, (_, interrupted, stopped) = end(tmp_path, signal.SIGINT)
    assert code == 75
    assert interrupted.startswith("hnclip: stopping after this step, with the state saved")
    assert stopped.startswith("hnclip: stopped by a signal after step ") and "--resume" in stopped
    left = {path.name for path in (tmp_path / "ended").iterdir()} - killed_while_saving
    assert sorted(left) == [
        "hnclip_run.json", "hnclip_state.safetensors", "open_clip_config.json",
        "open_clip_model.safetensors",
    ]  # fmt: skip

    monkeypatch.chdir(tmp_path)
    for folder in ("ended", "whole"):
        done = CliRunner().invoke(cli, [*COMMAND, folder])
        assert done.exit_code == 0, done.stderr
    assert weights(tmp_path / "ended") == weights(tmp_path / "whole")
    assert list((tmp_path / "ended").glob(".*.tmp")) == []


def test_a_log_that_nobody_reads_does_not_hold_up_an_end(tmp_path):
    """Standard error is the same pipe."""
    (tmp_path / "r.jsonl").write_bytes(to_lines(*make_records(tmp_path)))
    ours, theirs = os.pipe()
    fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
    command = [*COMMAND, "run"]
    command[command.index("--steps") + 1] = "100000"
    command[command.index("--checkpoint-every") + 1] = "0"
    process = subprocess.Popen(
        [sys.executable, "-m", "hnclip_cli", *command],
        stdout=theirs, stderr=theirs, cwd=tmp_path,
        env=environment(),
    )  # fmt: skip
    room = select.poll()
    room.register(theirs, select.POLLOUT)
    while room.poll(0):  # until it is full
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 75
    assert (tmp_path / "run" / STATE_NAME).exists()
    os.close(theirs)
    os.close(ours)
