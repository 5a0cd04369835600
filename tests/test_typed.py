"""Every typed command of every page runs, and prints what stands under it.

Commands with a placeholder in capital letters, as DATA, and those that need a network are not run;
``python -m tests.typed`` lists them.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, environment
from tests.typed import files, pages, program, typed

pytestmark = pytest.mark.long

# What a page begins with: ten drawn scenes, and what the pages before it make of them.
BEGINNING = r"""
hnclip data scenes scenes/ -n 10 -o caps.jsonl
hnclip negatives --units caps.jsonl -o hard.jsonl
cp hard.jsonl negatives.jsonl
hnclip train --model hnclip-tiny --steps 2 --batch-size 4 \
    --log-every 1 -o run/ hard.jsonl > log.jsonl
hnclip score --model run/ hard.jsonl -o scored.jsonl
hnclip eval scored.jsonl -o report.json
hnclip embed --of image --model run/ caps.jsonl -o images.npy
hnclip embed --of caption --model run/ caps.jsonl -o captions.npy
cp log.jsonl clip.log.jsonl; cp log.jsonl ce-clip.log.jsonl; mkdir folder; cp captions.npy folder
for copy in before after clip negclip ce-clip clip-s0 clip-s1 ce-clip-s0 ce-clip-s1 a b c; do
    cp scored.jsonl $copy.jsonl
done
"""


class Shell:
    """Bash with the fast hnclip; a command that fails, in a pipe too, is an error."""

    def __init__(self, folder: Path) -> None:
        self.codes = folder / "codes"
        self.environment = environment() | {
            "PATH": f"{program(folder).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
        }
        server = [sys.executable, "-m", "tests.typed", folder]
        self.server = subprocess.Popen(server, cwd=ROOT, env=self.environment)
        while not (folder / "socket").exists():
            assert self.server.poll() is None, "the server of hnclip has ended"
            time.sleep(0.1)

    def run(self, script: str, cwd: Path) -> str:
        self.codes.write_text("")
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=cwd, env=self.environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        failed = re.findall(r"^(?!0 |141 ).+", self.codes.read_text(), re.MULTILINE)
        assert (done.returncode, failed) == (0, []), f"{script}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def shell(tmp_path_factory, parser):
    begun = Shell(tmp_path_factory.mktemp("bin"))
    yield begun
    begun.server.kill()
    begun.server.wait()


@pytest.fixture(scope="module")
def beginning(shell, tmp_path_factory):
    folder = tmp_path_factory.mktemp("beginning")
    shell.run(BEGINNING, folder)
    return folder


def run_here(page):
    return [one for one in typed(page.read_text()) if not one.reason()]


@pytest.mark.parametrize("page", list(filter(run_here, pages())), ids=lambda page: page.name)
def test_the_typed_commands_of_a_page_run_and_print_what_it_says(page, shell, beginning, tmp_path):
    folder = tmp_path / "typed"
    shutil.copytree(beginning, folder)
    commands = run_here(page)
    for name, text in files(page.read_text()):
        (folder / name).write_text(text)
    if any(re.search(r"\btrain\b.* -o run/", one.command, re.DOTALL) for one in commands):
        shutil.rmtree(folder / "run")
    for one in commands:
        if "| jq" in one.command and not shutil.which("jq"):
            continue
        printed = shell.run(one.command, folder).splitlines()
        said = one.output
        if said and said[-1] == "…":
            said, printed = said[:-1], printed[: len(said) - 1]
        assert not said or printed == said, one.command


def test_most_typed_commands_run():
    """A page whose commands all need data of the reader teaches nobody by doing."""
    reasons = [one.reason() for page in pages() for one in typed(page.read_text())]
    assert reasons.count("") > len(reasons) / 2
