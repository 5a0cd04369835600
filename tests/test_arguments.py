"""No command writes to what it reads, however it is spelled."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from hnclip_cli.cli import cli
from tests.conftest import environment

DEAR = b'{"caption": "dear to me"}\n'
COMMANDS = [
    ["negatives", "IN", "-o", "OUT"],
    ["negatives", "IN", "--fitted", "x", "--resume", "OUT", "--generator", "http"],
    ["negatives", "x", "--true-captions", "IN", "-o", "OUT"],
    ["negatives", "x", "--fitted", "IN", "-o", "OUT"],
    ["refine", "IN", "-o", "OUT"],
    ["fit", "IN", "-o", "OUT"],
    ["mine", "IN", "x", "-o", "OUT"],
    ["mine", "x", "IN", "-o", "OUT"],
    ["mine", "x", "y", "--queries", "IN", "-o", "OUT"],
    ["embed", "IN", "--of", "caption", "--model", "ViT-B-32", "-o", "OUT"],
    ["embed", "x", "--of", "caption", "--model", "ViT-B-32", "--pretrained", "IN", "-o", "OUT"],
    ["score", "IN", "--model", "ViT-B-32", "-o", "OUT"],
    ["score", "x", "--image-embeddings", "IN", "--caption-embeddings", "y", "-o", "OUT"],
    ["score", "x", "--image-embeddings", "y", "--caption-embeddings", "IN", "-o", "OUT"],
    ["score", "x", "--negative-embeddings", "IN", "-o", "OUT"],
    ["search", "IN", "x", "-o", "OUT"],
    ["search", "x", "IN", "-o", "OUT"],
    ["search", "x", "y", "--records", "IN", "-o", "OUT"],
    ["eval", "IN", "-o", "OUT"],
    ["eval", "IN", "--html", "OUT"],
    ["eval", "x", "--embeddings", "y", "IN", "-o", "OUT"],
    ["compare", "x", "IN", "-o", "OUT"],
    ["compare", "IN", "x", "--html", "OUT"],
    ["data", "half-truths", "IN", "-o", "OUT"],
    ["data", "webdataset", "IN", "-o", "OUT"],
    ["data", "benchmark", "sugarcrepe", "IN", "--images", ".", "-o", "OUT"],
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dear").write_bytes(DEAR)
    (tmp_path / "soft").symlink_to("dear")
    os.link(tmp_path / "dear", tmp_path / "hard")
    (tmp_path / "folder").symlink_to(".")
    return tmp_path


def refused(*arguments):
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 2, done.output
    assert "same file" in done.stderr, done.stderr
    return done.stderr


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_every_command_refuses_to_write_what_it_reads(folder, arguments):
    refused(*({"IN": "dear", "OUT": "./dear"}.get(word, word) for word in arguments))
    assert (folder / "dear").read_bytes() == DEAR


@pytest.mark.parametrize(
    "spelled", ["dear", "./dear", "folder/dear", "soft", "hard", "../{name}/dear", "/{path}/soft"]
)
def test_files_are_compared_by_what_they_are(folder, spelled):
    name = spelled.format(name=folder.name, path=folder)
    assert "try another -o" in refused("negatives", "dear", "-o", name)
    assert "try another -o" in refused("negatives", name, "-o", "dear")
    assert sorted(os.listdir(folder)) == ["dear", "folder", "hard", "soft"]


@pytest.mark.parametrize("html", ["r.json", "./r.json", "folder/r.json", "R.JSON", "new"])
def test_two_outputs_are_two_files(folder, html):
    (folder / "new").symlink_to("r.json")
    refused("eval", "dear", "-o", "r.json", "--html", html)
    (folder / "r.json").touch()
    if html != "R.JSON":
        refused("eval", "dear", "-o", "r.json", "--html", html)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("negatives -o dear < dear", "standard input and -o are the same file"),
        ("negatives dear >> dear", "dear and standard output are the same file"),
        ("negatives < dear >> soft", "standard input and standard output are the same file"),
        ("train --model x --steps 1 -o run hard >> dear", "hard and standard output are the"),
        ("negatives dear -o /dev/fd/3 3>> dear", "dear and -o are the same file"),
    ],
)
def test_what_a_shell_has_redirected_counts(folder, script, said):
    command = f"{sys.executable} -m hnclip_cli {script}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, env=environment())
    assert done.returncode == 2 and said in done.stderr.decode()
    assert (folder / "dear").read_bytes() == DEAR


def test_devices_and_the_same_input_twice_are_fine(folder):
    arguments = ["negatives", "dear", "--true-captions", "dear", "--kind", "replace-color"]
    assert CliRunner().invoke(cli, [*arguments, "-o", "/dev/null"]).exit_code == 0
    assert CliRunner().invoke(cli, ["negatives", "/dev/null", "-o", "/dev/null"]).exit_code == 0
    assert CliRunner().invoke(cli, ["negatives", "dear", "-o", "other"]).exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [["eval", "--embeddings", "-", "x"], ["search", "-", "-"], ["compare", "-", "-"],
     ["score", "--image-embeddings", "-", "--caption-embeddings", "-"]],
)  # fmt: skip
def test_standard_input_is_read_once(arguments):
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 2 and "only one file can be - (standard input)" in done.stderr


def test_urls_are_compared_and_are_no_plain_files(tmp_path):
    for command, problem in (
        ("negatives s3://b/a -o s3://b/a", "s3://b/a and -o are the same file"),
        (f"embed x --of caption --model {tmp_path} --resume -o s3://b/a", "plain"),
        (f"embed x --of caption --model {tmp_path} --resume -o a.gz", "plain"),
    ):
        done = CliRunner().invoke(cli, command.split())
        assert done.exit_code == 2 and problem in done.stderr, done.stderr
