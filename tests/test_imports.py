"""Help is fast because it imports little: a list of modules, not a stopwatch."""

import subprocess
import sys

import pytest

from tests.conftest import environment
from tests.test_docs import commands

HEAVY = {
    "numpy", "torch", "torchvision", "open_clip", "spacy", "thinc", "PIL", "orjson", "tqdm",
    "safetensors", "fsspec", "timm", "transformers", "huggingface_hub", "scipy", "pandas", "jinja2",
    "diffusers",
}  # fmt: skip
COMMANDS = [[], *(list(names) for names, _ in commands())]
SHOW_MODULES = """
import sys
from hnclip_cli.cli import main
sys.argv = ["hnclip", *sys.argv[1:]]
try:
    main()
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""


def run(*args):
    return subprocess.run(
        [sys.executable, "-c", SHOW_MODULES, *args], capture_output=True, text=True,
        env=environment(),
    )  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_imports_nothing_heavy(command):
    done = run(*command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: hnclip")
    imported = {name.partition(".")[0] for name in done.stderr.split()}
    assert "click" in imported
    assert imported & HEAVY == set()


def test_the_help_of_all_imports_no_command_and_that_of_one_no_other():
    def imported(*args):
        names = run(*args, "--help").stderr.split()
        return {name.split(".")[2] for name in names if name.startswith("hnclip_cli.commands.")}

    assert imported() == set()
    assert imported("embed") == {"embed"}


def test_the_help_of_benchmark_imports_no_reader():
    imported = run("data", "benchmark", "--help").stderr.split()
    assert [name for name in imported if name.startswith("hnclip_cli.sources.benchmarks.")] == []


def test_the_help_of_negatives_imports_no_client():
    imported = run("negatives", "--help").stderr.split()
    assert {"hnclip_cli.negatives.generators.chat", "email", "socket"} & {*imported} == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--model", "hnclip-tiny", "-o", "x"],
        ["train", "--model", "hnclip-tiny", "-o", "x", "--steps", "1", "--epochs", "1"],
        ["train", "--model", "hnclip-tiny", "-o", "x", "--steps", "1", "--precision", "fp16"],
        ["score", "--model", "ViT-B-32"],
        ["score"],
        ["score", "--model", "x/", "--image-embeddings", "i.npy"],
        ["score", "--image-embeddings", "-", "--caption-embeddings", "c.npy"],
        ["search", "-", "-"],
        ["embed", "--of", "caption", "--model", "ViT-B-32"],
        ["train", "--preprocess-of", "openai", "--model", "ViT-B-32", "-o", "x", "--steps", "1"],
        ["embed", "--of", "caption", "--model", "hf-hub:a/b", "--pretrained", "openai"],
        ["score", "--model", "a/b", "--pretrained", "x", "--preprocess-of", "openai"],
        ["negatives", "-o", "x/"],
        ["negatives", "--shard", "2/2"],
        ["negatives", "--kind", "no-such-kind"],
        ["data", "benchmark", "no-such-benchmark", "x", "--images", "x"],
        ["eval", "--format", "xml"],
        ["compare", "a.jsonl"],
        ["no-such-command"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_found_before_anything_heavy_is_loaded(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Error: " in done.stderr
    imported = {name.partition(".")[0] for name in done.stderr.splitlines()[-1].split()}
    assert imported & {"torch", "open_clip", "spacy", "PIL"} == set()
