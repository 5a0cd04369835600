"""The example scripts do what they say, on files small enough for a test."""

import json
import os
import subprocess
import sys

import pytest
from PIL import Image

from tests.conftest import ROOT, environment

pytestmark = pytest.mark.long
ITEM = {"filename": "1.png", "caption": "a red cup", "negative_caption": "a blue cup"}


@pytest.fixture
def official(tmp_path):
    """A folder with one item of each of the three benchmarks."""
    for folder in ("coco/images", "sugarcrepe", "sugarcrepe-pp"):
        (tmp_path / folder).mkdir(parents=True)
    Image.new("RGB", (8, 8), "red").save(tmp_path / "coco/images/1.png")
    captions = ["a red cup stands on a small wooden table"]
    files = {
        "sugarcrepe/replace_att.json": {"0": ITEM},
        "sugarcrepe-pp/replace_att.json": [ITEM | {"id": 0, "caption2": "a cup that is red"}],
        "coco_karpathy_test.json": [{"image": "1.png", "caption": captions}],
    }
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    hnclip = tmp_path / "hnclip"
    hnclip.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hnclip_cli "$@"\n')
    hnclip.chmod(0o755)
    return tmp_path


def run_benchmarks(folder, *models):
    return subprocess.run(
        ["bash", str(ROOT / "examples/benchmarks.sh"), *models], cwd=folder, capture_output=True,
        text=True, env=environment() | {"HNCLIP": str(folder / "hnclip")}, timeout=300,
    )  # fmt: skip


def test_benchmarks_go_from_official_files_to_pages_of_both_models(official, tiny_run):
    for name in ("a", "b"):
        os.symlink(tiny_run, official / name)
    done = run_benchmarks(official, "a/", "b/ --device cpu")
    assert done.returncode == 0, done.stderr
    for name in ("a", "b"):
        assert len((official / f"{name}.scored.jsonl").read_text().splitlines()) == 3
        table = (official / f"{name}.txt").read_text()
        for benchmark in ("sugarcrepe", "sugarcrepe-pp", "aro-coco-order"):
            assert f"official scores of {benchmark}\n" in table
        assert (official / f"{name}.html").read_text().startswith("<!doctype html>")
    assert "3 records in both" in (official / "compare.txt").read_text()
    assert (official / "compare.html").exists()


def test_benchmarks_stop_at_a_file_that_is_missing(official):
    (official / "coco_karpathy_test.json").unlink()
    hnclip = official / "hnclip"  # whose score needs no model
    hnclip.write_text(hnclip.read_text().replace("exec", '[ "$1" = score ] && exec cat\nexec'))
    done = run_benchmarks(official, "a/")
    assert done.returncode != 0
    assert "coco_karpathy_test.json: no such file or folder" in done.stderr
    assert not done.stdout
