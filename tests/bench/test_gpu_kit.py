"""The GPU kit runs, small, on a machine without a GPU."""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT, to_lines

pytestmark = pytest.mark.long


def test_the_kit_proves_the_objective_and_the_towers_in_the_interpreter(tmp_path):
    pytest.importorskip("triton")
    caption = "a black cat on a white sofa"
    negatives = [
        {"caption": caption.replace("cat", name), "kind": "replace-noun"}
        for name in ("dog", "bird", "horse", "cow")
    ]
    (tmp_path / "negatives.jsonl").write_bytes(
        to_lines({"caption": caption, "negatives": negatives})
    )
    output = tmp_path / "gpu.json"
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.bench.gpu.run", "--device", "cpu", "--stages",
            "correctness", "memory", "--data", str(tmp_path), "--output", str(output),
        ],
        cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(output.read_text())
    assert {stage["outcome"] for stage in report["stages"].values()} == {"done"}
    assert sum("memory predicted" in figure["figure"] for figure in report["figures"]) == 2
    errors = [figure for figure in report["figures"] if "objective triton" in figure["figure"]]
    assert len(errors) == 8
    assert all(figure["value"] < 1e-3 for figure in errors)
