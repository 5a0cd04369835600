"""Help: 80 columns, groups, names one a line, manual pages. Completion, as Bash asks for it."""

import re
import shutil
import subprocess
import sys

import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from docs.generate_cli import helps
from docs.generate_man import write
from hnclip_cli import __version__
from hnclip_cli.cli import cli
from tests.conftest import ROOT

HELP = dict(helps(cli, "hnclip"))


@pytest.mark.parametrize("command", HELP)
def test_help_fits_80_columns(command):
    assert [line for line in HELP[command].splitlines() if len(line) > 80] == []


def test_a_wide_terminal_changes_nothing(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    said = CliRunner().invoke(cli, ["score", "--help"]).stdout
    assert max(map(len, said.splitlines())) <= 80


def test_options_stand_in_groups_and_those_of_all_commands_come_last():
    heads = re.findall(r"^(\S.*):$", HELP["hnclip train"], re.MULTILINE)
    assert heads[0] == "Options" and heads[-2:] == [
        "Values of OBJECTIVE",
        "Settings that --paper takes",
    ]
    assert heads[-5:-2] == ["Model", "Images", "In most commands"]
    last = HELP["hnclip score"].partition("In most commands:")[2]
    assert "--on-error" in last and "--help" in last and "--method" not in last


def test_names_stand_one_a_line():
    said = HELP["hnclip negatives"].splitlines()
    assert "  swap-noun" in said and "  shuffle-words" in said
    assert any(re.match(r"  ce-clip +Zhang et al", line) for line in said)
    assert "  sugarcrepe" in HELP["hnclip data benchmark"].splitlines()


def completed(typed):
    """What Bash is told for a line of which the last word is not finished."""
    *words, last = typed.split(" ")
    found = BashComplete(cli, {}, "hnclip", "_HNCLIP_COMPLETE").get_completions(words, last)
    return [item.value if item.type == "plain" else item.type for item in found]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("neg", ["negatives"]),
        ("data ben", ["benchmark"]),
        ("negatives --kind swap-a", ["swap-adjective", "swap-adverb"]),
        ("negatives --kind swap-noun --preset ce", ["ce-clip"]),
        ("negatives caps", ["file"]),
        ("negatives --words w", ["dir"]),
        ("train --objective neg", ["negclip"]),
        ("train --model hnclip-tiny-v", ["hnclip-tiny-vit"]),
        ("train --model run", ["dir"]),
        ("score --model ViT-B-32 --pretrained laion2b_s", ["laion2b_s34b_b79k"]),
        ("score --pretrained weights", ["file"]),
        ("bench d --model ViT-B-32,opena", ["ViT-B-32,openai"]),
        ("bench d --benchmark vals", ["valse"]),
        ("data benchmark wino", ["winoground"]),
        ("data benchmark winoground ex", ["file"]),
        ("train --model x -o ru", ["dir"]),
        ("eval --html p", ["file"]),
    ],
)
def test_a_shell_completes(typed, expected):
    assert completed(typed) == expected


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is absent")
def test_bash_itself_completes(tmp_path):
    """The script that hnclip gives, in a real Bash, with the words of a line."""
    (tmp_path / "hnclip").write_text(f'#!/bin/sh\nexec {sys.executable} -m hnclip_cli "$@"\n')
    (tmp_path / "hnclip").chmod(0o755)
    script = """PATH=$PWD:$PATH; eval "$(_HNCLIP_COMPLETE=bash_source hnclip)"
        COMP_WORDS=(hnclip negatives --kind swap-n); COMP_CWORD=3
        _hnclip_completion hnclip; echo "${COMPREPLY[@]}" """
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.split() == ["swap-noun", "swap-noun-phrase"], done.stderr


def test_the_version_has_a_short_flag():
    assert __version__ in CliRunner().invoke(cli, ["-V"]).stdout


def test_manual_pages_say_what_the_help_says(tmp_path):
    write(tmp_path)
    assert len(list(tmp_path.iterdir())) == len(HELP)
    page = (tmp_path / "hnclip-data-benchmark.1").read_text()
    assert page.startswith('.TH "HNCLIP-DATA-BENCHMARK" 1')
    assert ".SH NAME\nhnclip\\-data\\-benchmark \\- Turn the official files" in page
    assert ".SH SYNOPSIS\nhnclip data benchmark [OPTIONS] NAME PATH\n" in page.replace("\\-", "-")
    assert "\\-\\-where" in page and '.SH "IN MOST COMMANDS"' in page
    for path in tmp_path.iterdir() if shutil.which("groff") else ():
        done = subprocess.run(
            ["groff", "-man", "-Kutf8", "-Tutf8", "-ww", path], capture_output=True, text=True
        )
        assert done.stderr == "", path.name
        assert "Show this message and exit." in done.stdout
