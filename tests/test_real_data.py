"""The documented pipes on real captions and photographs, through pipes and through files."""

import contextlib
import shlex
import subprocess
import sys

import pytest
from click.testing import CliRunner

from hnclip_cli.cli import cli
from tests.conftest import environment, parse_lines

pytestmark = pytest.mark.long
SUGARCREPE_CASES = 197

PIPES = """
hnclip negatives < {data}/coco/pairs.jsonl |
    hnclip train --objective ce-clip --model hnclip-tiny --steps 20 --batch-size 16 --image-root {data}/coco -o run/ > log.jsonl
hnclip data benchmark sugarcrepe {data}/benchmarks/sugarcrepe --images {data}/coco/images |
    hnclip score --model run/ | hnclip eval > report.json
"""  # noqa: E501
FILES = """
hnclip negatives {data}/coco/pairs.jsonl -o negatives.jsonl
hnclip train --objective ce-clip --model hnclip-tiny --steps 20 --batch-size 16 --image-root {data}/coco -o run/ negatives.jsonl > log.jsonl
hnclip data benchmark sugarcrepe {data}/benchmarks/sugarcrepe --images {data}/coco/images -o sugarcrepe.jsonl
hnclip score --model run/ sugarcrepe.jsonl -o scored.jsonl
hnclip eval scored.jsonl -o report.json
"""  # noqa: E501


def by_pipes(script, folder):
    """What a script of real processes leaves in a folder."""
    run = f'set -euo pipefail; hnclip() {{ {sys.executable} -m hnclip_cli "$@"; }}\n{script}'
    done = subprocess.run(
        ["bash", "-c", run], cwd=folder, capture_output=True, env=environment(), timeout=500
    )
    assert done.returncode == 0, done.stderr.decode()


def by_files(script, folder):
    """The same of commands that run in this process, one after the other."""
    with contextlib.chdir(folder):
        for line in script.strip().splitlines():
            typed, _, log = line.partition(" > ")
            done = CliRunner().invoke(cli, shlex.split(typed)[1:])
            assert done.exit_code == 0, done.stderr
            if log:
                (folder / log).write_bytes(done.stdout_bytes)


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def outputs(real_data, tmp_path_factory):
    base = tmp_path_factory.mktemp("real")
    data = real_data.resolve()
    found = []
    for run, script in ((by_pipes, PIPES), (by_files, FILES)):
        folder = base / run.__name__
        folder.mkdir()
        run(script.format(data=data), folder)
        found.append(contents(folder))
    return found


def test_pipes_and_files_give_the_same_bytes(outputs):
    piped, filed = outputs
    assert set(piped) == {
        "log.jsonl", "report.json", "run/hnclip_run.json", "run/hnclip_state.safetensors",
        "run/open_clip_config.json", "run/open_clip_model.safetensors",
    }  # fmt: skip
    for name, content in piped.items():
        if name == "report.json":  # whose run names the file
            assert _measures(filed[name]) == _measures(content)
        else:
            assert filed[name] == content, name


def _measures(report):
    (measured,) = parse_lines(report)
    assert measured.pop("run")["items"]
    return measured


def test_training_on_photographs_lowers_the_loss(outputs):
    metrics = parse_lines(outputs[0]["log.jsonl"])
    assert [line["step"] for line in metrics] == [10, 20]
    assert metrics[1]["loss"] < metrics[0]["loss"]
    assert {"replace-subject", "replace-noun", "flip-relation"} <= set(metrics[1]["thresholds"])


def test_every_sugarcrepe_case_is_scored(outputs):
    report = parse_lines(outputs[0]["report.json"])[0]
    assert report["records"] == SUGARCREPE_CASES
    assert report["accuracy"]["pair"]["n"] == SUGARCREPE_CASES
    assert set(report["by"]["subset"]) == {
        "add_att", "add_obj", "replace_att", "replace_obj", "replace_rel", "swap_att", "swap_obj",
    }  # fmt: skip
    scored = parse_lines(outputs[1]["scored.jsonl"])
    right = sum(record["scores"][0][0] > record["scores"][0][1] for record in scored)
    assert report["accuracy"]["pair"]["value"] == pytest.approx(right / SUGARCREPE_CASES)


def test_negatives_of_real_captions_are_their_edits_and_not_the_caption(outputs):
    num_with = 0
    for record in parse_lines(outputs[1]["negatives.jsonl"]):
        num_with += bool(record["negatives"])
        for negative in record["negatives"]:
            text = record["caption"]
            for start, end, replacement in reversed(negative["edits"]):
                text = text[:start] + replacement + text[end:]
            assert text == negative["caption"] != record["caption"]
    assert num_with > 0.7 * 801
