"""The example plug-in, installed as a package: each of its entries does its work in a command."""

import json
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from hnclip_cli import plugins
from hnclip_cli.cli import cli
from hnclip_cli.plugins import TABLES, import_from
from tests.conftest import ROOT, environment, parse_lines, to_lines
from tests.factories import make_records

pytestmark = pytest.mark.long
CAPTIONS = to_lines(*({"id": str(n), "caption": f"a cat on bed {n}"} for n in range(600)))


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder of packages with the example in it."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(ROOT / "examples/plugin", folder / "source")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    done = subprocess.run(
        [*pip, "--target", str(folder / "packages"), str(source)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder / "packages"


@pytest.fixture
def run(installed, monkeypatch, tmp_path):
    """Run a command in this process, in which the example is installed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(installed))
    forget()
    yield lambda *arguments, **options: CliRunner().invoke(cli, list(arguments), **options)
    forget()
    sys.modules.pop("hnclip_example", None)


def forget():
    plugins._installed.cache_clear()
    plugins.in_use.clear()
    for place in TABLES.values():
        import_from(place)._loaded.clear()


def hnclip(installed, *arguments, stdin=b""):
    return subprocess.run(
        [sys.executable, "-m", "hnclip_cli", *arguments], input=stdin, capture_output=True,
        env=environment() | {"PYTHONPATH": str(installed)}, timeout=300,
    )  # fmt: skip


def test_it_is_a_complete_package_of_60_lines():
    files = [path for path in (ROOT / "examples/plugin").iterdir() if path.is_file()]
    assert {path.name for path in files} == {"pyproject.toml", "hnclip_example.py"}
    assert sum(len(path.read_text().splitlines()) for path in files) <= 60


def test_its_entries_are_listed_and_are_as_they_should_be(installed):
    done = hnclip(installed, "plugins")
    assert (done.returncode, done.stderr) == (0, b"")
    assert {(line["table"], line["name"], line["from"]) for line in parse_lines(done.stdout)} == {
        ("kinds", "swap-pet", "hnclip-example 0.1"),
        ("objectives", "squared-gap", "hnclip-example 0.1"),
        ("benchmarks", "pets", "hnclip-example 0.1"),
        ("generators", "deny", "hnclip-example 0.1"),
    }


def test_its_kind_is_made_by_several_processes_as_by_one(installed, parser):
    one, two = (
        hnclip(installed, "negatives", "--kind", "swap-pet", "--workers", workers, stdin=CAPTIONS)
        for workers in ("1", "2")
    )
    assert (two.returncode, two.stderr) == (0, b"")
    assert one.stdout == two.stdout
    found = [record["negatives"][0] for record in parse_lines(two.stdout)]
    assert found[5] == {"caption": "a dog on bed 5", "kind": "swap-pet", "edits": [[2, 5, "dog"]]}


def test_its_generator_makes_negatives(run):
    arguments = ["negatives", "--generator", "deny", "--kind", "negate"]
    done = run(*arguments, input=CAPTIONS)
    assert (done.exit_code, done.stderr) == (0, "hnclip: all is denied\n")
    assert parse_lines(done.stdout_bytes)[3]["negatives"][0]["caption"] == "no a cat on bed 3"


def test_its_objective_trains(run, tmp_path):
    (tmp_path / "r.jsonl").write_bytes(to_lines(*make_records(tmp_path)))
    arguments = ["--steps", "3", "--batch-size", "4", "--log-every", "1", "--workers", "0"]
    done = run(
        "train", "--model", "hnclip-tiny", "--objective", "squared-gap", *arguments,
        "-o", "run", "r.jsonl",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert all(line["squared_gap"] > 0 for line in parse_lines(done.stdout_bytes))


def test_its_benchmark_is_read_and_measured(run, tmp_path):
    make_records(tmp_path, 2)
    pets = [{"image": f"{n}.png", "true": "a cat", "false": "a dog"} for n in range(2)]
    (tmp_path / "pets.jsonl").write_bytes(to_lines(*pets))
    done = run("data", "benchmark", "pets", ".", "--images", ".")
    assert done.exit_code == 0, done.stderr
    records = parse_lines(done.stdout_bytes)
    scored = [record | {"scores": [[0.2, 0.3 * n]]} for n, record in enumerate(records)]
    done = run("eval", "--bootstrap", "0", input=to_lines(*scored))
    assert done.exit_code == 0, done.stderr
    assert "accuracy of pets" in done.stdout
    assert json.loads(done.stdout)["accuracy"]["pair"]["value"] == 0.5
