"""Each recipe: really, with a small model and ten records; and what it would call elsewhere."""

import json
import os
import shlex
import shutil
import subprocess
import sys

import pytest

from hnclip_cli.training.recipes import RECIPES as PAPERS
from tests.conftest import ROOT, environment, parse_lines
from tests.examples.test_batch_scripts import parsed
from tests.factories import make_records

FOLDER = ROOT / "examples" / "recipes"
RECIPES = sorted({path.stem for path in FOLDER.glob("*.sh")} - {"steps", "slurm"})
AS_MODULE = shlex.join([sys.executable, "-m", "hnclip_cli"])
CAPTIONS = [
    "A red car is behind a blue bus.",
    "A man rides a brown horse on a beach.",
    "A black cat sits on a white sofa.",
    "Two dogs run in the grass.",
    "A woman in a red jacket skiing down a slope.",
    "A boy holds a blue umbrella.",
    "A large dog sleeps under a wooden table.",
    "A girl eats an apple in a kitchen.",
    "A man stands next to a green truck.",
    "Three birds sit on a metal fence.",
]
# Writes down how it is called, and writes the file that it is asked for.
STAND_IN = """#!/usr/bin/env bash
printf '%s\\0' "$(basename "$0")" "$@" >> "$CALLS"
echo >> "$CALLS"
[ "$(basename "$0")" = sbatch ] && echo 71
while [ $# -gt 0 ]; do [ "$1" = -o ] && touch "$2"; shift; done
exit 0
"""


@pytest.fixture
def bin_folder(tmp_path, monkeypatch):
    """A folder of commands, before all others."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return tmp_path / "bin"


@pytest.fixture(scope="module")
def tiny_vit(tmp_path_factory):
    """A folder of the smallest model that all objectives train."""
    from hnclip_cli.models.load import load_clip, save_clip

    folder = str(tmp_path_factory.mktemp("tiny") / "run")
    save_clip(load_clip("hnclip-tiny-vit", device="cpu", seed=1), folder)
    return folder


def command(path, text):
    path.write_text(text)
    path.chmod(0o755)


def run(folder, script, *flags, **variables):
    """Run a recipe on ten captions; the finished process."""
    records = make_records(folder / "train 2014", len(CAPTIONS))
    images = [{"id": n, "file_name": record["image"]} for n, record in enumerate(records)]
    annotations = [{"id": n, "image_id": n, "caption": text} for n, text in enumerate(CAPTIONS)]
    (folder / "c.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    return subprocess.run(
        ["bash", str(FOLDER / script[0]), *script[1:], "c.json", "train 2014", "out", *flags],
        cwd=folder, env=environment() | variables, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("number", range(len(RECIPES)), ids=RECIPES)
def test_a_recipe_goes_from_captions_to_a_model(tmp_path, bin_folder, tiny_vit, number):
    # In turn by a command on PATH and by a module, which all recipes call in the same way.
    command(bin_folder / "hnclip", f'#!/bin/sh\nexec {AS_MODULE} "$@"\n')
    how = {"HNCLIP": AS_MODULE} if number % 2 else {}
    done = run(
        tmp_path, [f"{RECIPES[number]}.sh"], "--epochs", "1", "--batch-size", "5", "--workers", "0",
        "--log-every", "1", MODEL=tiny_vit, PIPELINE="", **how,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    negatives = parse_lines((tmp_path / "out/negatives.jsonl").read_bytes())
    assert [record["caption"] for record in negatives] == CAPTIONS
    assert sum(bool(record["negatives"]) for record in negatives) >= 8
    log = parse_lines((tmp_path / "out/log.jsonl").read_bytes())
    assert [line["step"] for line in log] == [1, 2] and all(line["loss"] > 0 for line in log)
    assert (tmp_path / "out/run/open_clip_config.json").exists()
    assert "BENCHMARKS" in done.stdout and "paper" in done.stdout.lower()


def calls_of(folder, bin_folder, script, **variables):
    """What a recipe calls, where all of it is a stand-in, and what it prints."""
    for name in ("hnclip", "sbatch"):
        command(bin_folder / name, STAND_IN)
    calls = folder / "calls"
    calls.write_text("")
    done = run(folder, script, CALLS=str(calls), BENCHMARKS="all benchmarks", **variables)
    assert done.returncode == 0, done.stderr
    return [line.split("\0")[:-1] for line in calls.read_text().splitlines()]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_trains_as_its_paper_and_measures_beside_the_model_it_began_with(
    tmp_path, bin_folder, recipe
):
    calls = calls_of(tmp_path, bin_folder, [f"{recipe}.sh"])
    (train,) = (call[2:] for call in calls if call[1] == "train")
    settings = parsed(train)
    assert settings["paper"] == (settings["objective"] in PAPERS) and settings["resume"]
    assert settings["model"] == "ViT-B-32"
    models = [] if recipe == "tripletclip" else ["--model", "ViT-B-32,openai"]
    bench = ["bench", "all benchmarks", *models, "--model", "out/run", "-o", "out/bench"]
    assert calls[-1] == ["hnclip", *bench]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_calls_the_same_by_a_module_and_beside_a_function_of_its_name(
    tmp_path, bin_folder, recipe
):
    by_command = calls_of(tmp_path, bin_folder, [f"{recipe}.sh"])
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "hnclip").mkdir()  # nor does a clone in the working folder stand in its way
    function = {"BASH_FUNC_hnclip%%": '() { hnclip "$@"; }'}
    as_module = calls_of(tmp_path, bin_folder, [f"{recipe}.sh"], HNCLIP="env hnclip", **function)
    assert as_module == by_command


def test_what_is_there_is_not_made_again(tmp_path, bin_folder):
    first = calls_of(tmp_path, bin_folder, ["negclip.sh"])
    assert [call[1] for call in first] == ["data", "negatives", "embed", "mine", "train", "bench"]
    again = calls_of(tmp_path, bin_folder, ["negclip.sh"])
    assert [call[1] for call in again] == ["train", "bench"]


def test_on_slurm_training_is_a_job_of_so_many_nodes_and_measuring_waits_for_it(
    tmp_path, bin_folder
):
    calls = calls_of(tmp_path, bin_folder, ["slurm.sh", "ce-clip"], NODES="2", GPUS="8")
    train, measure = (call for call in calls if call[0] == "sbatch")
    assert {"--nodes=2", "--gpus-per-node=8", "--ntasks-per-node=8"} <= {*train}
    at = train.index(str(ROOT / "examples/slurm/train.sbatch"))
    assert train[at + 1 : at + 3] == ["out/negatives.jsonl", "out/run"]
    assert parsed([*train[at + 3 :], "-o", "out/run"])["paper"]
    assert "--dependency=afterok:71" in measure
    assert shlex.split(measure[-1])[:3] == ["hnclip", "bench", "all benchmarks"]


def test_a_recipe_says_what_it_is_called_with():
    done = subprocess.run(["bash", FOLDER / "ce-clip.sh"], capture_output=True, text=True)
    assert done.returncode == 2 and "CAPTIONS IMAGES FOLDER" in done.stderr
