"""The batch scripts in examples/, with stand-ins for Slurm and for torchrun."""

import os
import subprocess

import click
import pytest
import torch

from hnclip_cli.cli import cli
from hnclip_cli.commands.train import train
from hnclip_cli.training.run_folder import STATE_NAME
from hnclip_cli.training.state_file import write_state
from tests.conftest import ROOT

STAND_IN = """#!/usr/bin/env bash
printf '%s\\n' "$(basename "$0")" "$@" >> "$CALLS"
[ "$(basename "$0")" = scontrol ] || exit "$CODE"
"""


def call(folder, script, *args, code=0, **variables):
    """Run a script; its exit code, and what it called with which arguments."""
    for name in ("srun", "scontrol", "torchrun", "nvidia-smi"):
        path = folder / name
        path.write_text(STAND_IN)
        path.chmod(0o755)
    calls = folder / "calls"
    calls.write_bytes(b"")
    done = subprocess.run(
        ["bash", str(ROOT / "examples" / script), *args], cwd=folder, timeout=60,
        env=os.environ | {
            "PATH": f"{folder}:{os.environ['PATH']}", "CALLS": str(calls), "CODE": str(code),
            "SLURM_JOB_ID": "12", "SLURM_CPUS_PER_TASK": "8",
        } | variables,
    )  # fmt: skip
    return done.returncode, calls.read_text().splitlines()


def parsed(words):
    """What `hnclip train` makes of these arguments."""
    parent = click.Context(cli, **cli.context_settings)
    return train.make_context("train", list(words), parent=parent).params


@pytest.mark.parametrize("code", [0, 1, 75])
def test_a_job_goes_back_to_the_queue_where_its_run_was_stopped(tmp_path, code):
    given = ["train.jsonl", "run/", "--model", "ViT-B-32", "--epochs", "5"]
    ended, calls = call(tmp_path, "slurm/train.sbatch", *given, code=code)
    assert ended == code
    requeue = ["scontrol", "requeue", "12"]
    assert (calls[-3:] == requeue) == (code == 75)
    words = calls[: -3 if code == 75 else None]
    at = words.index("train")
    assert (words[0], words[at - 1]) == ("srun", "hnclip")
    settings = parsed(words[at + 1 :])
    assert (settings["input_"], settings["output"], settings["resume"]) == (*given[:2], True)
    assert settings["workers"] == 7 and settings["epochs"] == 5
    assert (tmp_path / "run.log.jsonl").exists()


def write_step(folder, step):
    """A state as that of a run after this step."""
    (folder / "run").mkdir(exist_ok=True)
    tensors = {"optimizer.0.step": torch.tensor(99.0)}
    with (folder / "run" / STATE_NAME).open("wb") as stream:
        write_state(stream, {"config": {"steps": 7}, "step": step, "position": 9}, tensors)


def test_a_job_that_comes_no_further_fails_after_some_restarts(tmp_path, capfd):
    given = ["train.jsonl", "run/", "--model", "m", "--steps", "9"]

    def ends(restarts, step):
        if step is not None:
            write_step(tmp_path, step)
        variables = {"SLURM_RESTART_COUNT": str(restarts)} if restarts else {}
        return call(tmp_path, "slurm/train.sbatch", *given, code=75, RESTARTS="2", **variables)[0]

    assert [ends(0, None), ends(1, None)] == [75, 75]
    assert [ends(2, 3), ends(3, 3), ends(4, 3)] == [75, 75, 1]
    assert "no step was made in 3 runs; try a longer --time" in capfd.readouterr().err
    assert ends(5, 13) == 75
    assert [ends(0, 13), ends(1, 13), ends(2, 13)] == [75, 75, 1]  # as another job


def test_a_job_calls_hnclip_as_it_is_told(tmp_path):
    how = "python -m hnclip_cli"
    given = ["train.jsonl", "run/", "--model", "m", "--steps", "1"]
    ended, calls = call(tmp_path, "slurm/train.sbatch", *given, HNCLIP=how)
    at = calls.index("train")
    assert ended == 0 and calls[0] == "srun" and calls[at - 3 : at] == how.split()


def test_torchrun_passes_the_signals_on_and_the_arguments(tmp_path):
    ended, calls = call(tmp_path, "train_torchrun.sh", "-o", "run", "--model", "m", "--steps", "3")
    assert ended == 0
    at = calls.index("torchrun")
    assert "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1" in calls[at:]
    words = calls[calls.index("hnclip_cli", at) + 1 :]
    assert words[0] == "train" and parsed(words[1:])["resume"]
