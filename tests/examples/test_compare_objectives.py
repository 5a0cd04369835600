"""examples/compare_objectives.py: its arithmetic, and the quickstart, which runs it."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from examples.compare_objectives import (
    KEPT,
    RETRIEVAL,
    Comparison,
    gains,
    over_items,
    over_seeds,
    table,
)
from tests.conftest import ROOT


def cell(value, above=0.0):
    return over_seeds([value, value + 2]) | {"above_first": over_seeds([above])}


def found(*names):
    measures = ["swaps", "swap-noun", *RETRIEVAL, KEPT, "steps", "s/step", "MB"]
    rows = {name: {m: cell(50.0 + n, n) for m in measures} for n, name in enumerate(names)}
    return {"first": names[0], "objectives": rows}


def test_an_interval_over_seeds_is_students():
    assert over_seeds([3.0]) == {"mean": 3.0, "interval": None, "values": [3.0]}
    low, high = over_seeds([1.0, 2.0, 3.0])["interval"]
    assert (low, high) == pytest.approx((2 - 4.303 / 3**0.5, 2 + 4.303 / 3**0.5))


def test_an_interval_over_items_is_that_of_a_difference():
    rng = np.random.default_rng(0)
    right = [rng.random(400) < share for share in (0.8, 0.5)]
    one, other = ([(scene, bool(is_right)) for scene, is_right in enumerate(x)] for x in right)
    low, high = over_items([(one, other)])
    error = 1.96 * 100 * ((0.8 * 0.2 + 0.5 * 0.5) / 400) ** 0.5
    difference = 100 * (right[0].mean() - right[1].mean())
    assert low == pytest.approx(difference - error, abs=1.5)
    assert high == pytest.approx(difference + error, abs=1.5)
    assert over_items([(one, one)]) == [0, 0]


def test_few_objectives_are_columns_and_many_are_rows():
    few, many = table(found("clip", "hnclip")), table(found(*"abcde"))
    assert few.splitlines()[0].split() == ["|", "%", "right", "|", "clip", "|", "hnclip", "|"]
    assert "| swap-noun " in few and "swap-noun" not in many
    assert [line.split()[1] for line in many.splitlines()[2:]] == [*"abcde"]
    assert "51.0 ± 12.7" in few
    assert KEPT not in few + many and "steps" not in few + many


def test_what_is_gained_and_what_it_costs_is_said():
    assert gains(found("clip", "hnclip")).startswith("hnclip against clip, in points: swaps +1.0, ")


def test_a_flag_of_a_setting_is_given_once(tmp_path, monkeypatch):
    options = argparse.Namespace(
        output=tmp_path, train=None, lr=2e-3, seconds=9.0, batch_size=4, workers=0
    )
    commands = []
    monkeypatch.setattr(Comparison, "hnclip", lambda self, *given: commands.append(given))
    Comparison(options, 3).train("a", "--model first", "--objective clip --steps 7 --lr 5", 1)
    ((command, log, threads),) = commands
    assert (log, threads) == ("a.log.jsonl", 1)
    assert command.count("--lr") == 1 and "--lr 5" in command
    assert "--steps 7" in command and "--seconds" not in command and "--seed 3" in command


def test_the_quickstart_runs_and_goes_on_from_what_is_there(tmp_path):
    size = ["--scenes", "80", "--test-scenes", "16", "--batch-size", "8"]
    time = ["--first-seconds", "0.1", "--seconds", "0.1"]
    hnclip = str(Path(sys.executable).with_name("hnclip"))

    def quickstart():
        return subprocess.run(
            ["bash", str(ROOT / "examples" / "quickstart.sh"), "run", *size, *time],
            cwd=tmp_path, env={"HNCLIP": hnclip, "PATH": "/usr/bin:/bin"}, text=True,
            capture_output=True, check=True,
        ).stdout  # fmt: skip

    said = quickstart()
    measures = json.loads((tmp_path / "run" / "table.json").read_text())["objectives"]
    assert list(measures) == ["clip", "hnclip"]
    assert {"swaps", "swaps, seen", "flips", "half-truths", "counts"} <= set(measures["hnclip"])
    assert (tmp_path / "run" / "table.md").read_text() in said
    assert "hnclip against clip, in points: swaps" in said and " s  hnclip train" in said
    assert (tmp_path / "run" / "chart.svg").read_text().startswith("<svg")
    # A step that is lost is made again, by the other way to call hnclip.
    lost = next((tmp_path / "run").rglob("half.jsonl"))
    lost.unlink()
    hnclip = f"{sys.executable} -m hnclip_cli"
    assert " s  hnclip data half-truths" in quickstart() and lost.exists()
    again = quickstart()
    assert " s  hnclip" not in again
    assert (tmp_path / "run" / "table.md").read_text() in again


def test_a_shim_on_the_path_is_called_with_the_python_that_is_named(tmp_path):
    (tmp_path / "hnclip").write_text(f'#!/bin/sh\nexec {sys.executable} -m hnclip_cli "$@"\n')
    (tmp_path / "hnclip").chmod(0o755)
    done = subprocess.run(
        ["bash", str(ROOT / "examples" / "compare_objectives.sh"), "--help"], cwd=tmp_path,
        env={"HNCLIP": "hnclip", "PYTHON": sys.executable, "PATH": f"{tmp_path}:/usr/bin:/bin"},
        text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0 and "--objectives" in done.stdout, done.stderr
