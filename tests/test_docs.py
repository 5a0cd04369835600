"""The documentation says what is true: help text, flags, links, and the examples that can run."""

import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

import click
import pytest

from docs import (
    generate_fields,
    generate_functions,
    generate_limits,
    generate_tables,
    generate_terms,
)
from docs.generate_cli import PAGE, render
from docs.generate_results import pages
from docs.site import anchor
from hnclip_cli.cli import cli
from hnclip_cli.commands.data import COMMANDS as DATA
from tests.bench.docs_words import PAGES as WRITTEN
from tests.bench.docs_words import long_lines, measure, prose
from tests.conftest import ROOT, run_hnclip

SCRIPTS = [
    generate_fields,
    generate_functions,
    generate_limits,
    generate_tables,
    generate_terms,
]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(group=cli, names=()):
    for name in group.list_commands():
        command = group.get_command(None, name)
        yield (*names, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*names, name))


def test_the_page_of_commands_is_up_to_date():
    assert PAGE.read_text() == render(), "run: python docs/generate_cli.py"


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_page_that_is_made_from_the_code_is_up_to_date(script):
    name = script.__name__.replace(".", "/")
    assert script.PAGE.read_text() == script.render(), f"run: python {name}.py"


def anchors(page):
    """Those of the headings outside of code, as a code host makes them."""
    headings = [line.lstrip("# ") for line in prose(page.read_text()) if line.startswith("#")]
    made = Counter()
    for heading in headings:
        name = anchor(re.sub(r"\]\([^)]*\)", "]", heading))
        yield f"{name}-{made[name]}" if made[name] else name
        made[name] += 1


def test_tables_of_objectives_are_those_of_the_kept_figures():
    for path, text in pages().items():
        assert path.read_text() == text, "run: python docs/generate_results.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(page):
    for target, heading in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text()):
        other = page.parent / target if target else page
        assert other.exists(), f"{page.name}: {target}"
        if heading:
            assert heading in anchors(other), f"{page.name}: {target}#{heading}"


def test_the_map_and_the_site_have_every_page():
    pages = {path.name for path in PAGES[1:]}
    mapped = set(re.findall(r"\]\((\w+\.md)\)", (ROOT / "docs" / "index.md").read_text()))
    assert mapped == pages - {"index.md"}
    assert set(re.findall(r": (\w+\.md)", (ROOT / "mkdocs.yml").read_text())) == pages


def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs")
    site = ["mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path]
    subprocess.run([sys.executable, "-m", *site], cwd=ROOT, check=True)
    assert (tmp_path / "start" / "index.html").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_flag_that_a_page_types_exists(page):
    """In each ``hnclip X …`` of an indented or fenced block, X and its flags are real."""
    known = dict(commands())
    for line in joined_lines(page.read_text()):
        for typed in re.findall(rf"\bhnclip ([a-z]+(?: (?:{'|'.join(DATA)}))?)\b([^|&;#>]*)", line):
            names = tuple(typed[0].split())
            if names not in known:
                continue
            options = {flag for param in known[names].params for flag in param.opts}
            options |= {"--help", "-h"}
            for word in typed[1].split():
                if re.fullmatch(r"--?[a-z][a-z-]*", word):
                    assert word in options, f"{page.name}: hnclip {typed[0]} {word}"


def joined_lines(text):
    """The lines of code blocks, those continued by a backslash or a pipe joined."""
    code = re.sub(r"\\\n", " ", text)
    return [line for line in code.splitlines() if line.startswith("    ") or "hnclip" in line]


def test_every_command_has_an_example_and_says_what_it_reads_and_writes():
    for names, command in commands():
        if isinstance(command, click.Group):
            continue
        text = command.help or ""
        assert "Example:" in text, names
        assert re.search(r"\b(Reads|reads|PATH is)\b", text), names
        assert re.search(r"\b[Mm]emory\b", text), names
        for option in command.params:
            assert isinstance(option, click.Argument) or option.help, (names, option.name)


def test_the_scripts_in_examples_are_mentioned():
    readme = (ROOT / "README.md").read_text()
    for script in (ROOT / "examples").glob("*.sh"):
        assert f"examples/{script.name}" in readme


def test_exit_codes_in_the_help_are_those_of_the_code():
    from hnclip_cli.errors import ExitCode

    said = {int(code) for code in re.findall(r"\b(\d+) [a-z]", cli.help.split("Exit codes:")[1])}
    assert said <= {code.value for code in ExitCode}
    assert {0, 1, 2, 3, 130, 141} <= said


def test_code_blocks_of_the_readme_are_valid_shell():
    for line in joined_lines((ROOT / "README.md").read_text()):
        if line.startswith("    $ "):
            assert shlex.split(line.removeprefix("    $ "), comments=True)


def test_no_page_names_a_machine():
    for path in [*PAGES, *(ROOT / "examples").iterdir()]:
        if path.is_file():
            assert not re.search(r"/(?:root|home|work)/", path.read_text()), path
    assert Path(PAGE).is_file()


def test_the_first_pipe_of_the_readme_prints_what_it_says():
    lines = (ROOT / "README.md").read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("    $ echo"))
    typed, _, arguments = lines[at].removeprefix("    $ echo ").partition(" | hnclip ")
    done = run_hnclip(*shlex.split(arguments), stdin=shlex.split(typed)[0].encode() + b"\n")
    assert done.stdout.decode() == lines[at + 1].removeprefix("    ") + "\n"


# These are being rewritten.
PENDING: set[str] = set()


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: path.name)
def test_lines_of_prose_fit_100_columns(page):
    assert page.name in PENDING or long_lines(page.read_text()) == []


def test_sentences_are_short():
    measured = measure([page.read_text() for page in WRITTEN])
    assert measured["average"] <= 15
    assert measured["percent_over_30"] <= 2


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: path.name)
def test_the_first_line_says_what_a_page_is(page):
    purpose = next(prose("\n".join(page.read_text().splitlines()[2:])))
    assert page.name in PENDING or re.match(
        r"\*(Map|Start|Guide|Reference|Background)\.\* ", purpose
    )
