"""Plug-ins in a file or a module: what they add, and what is said where they are broken."""

import dataclasses
import os
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from hnclip_cli import plugins
from hnclip_cli.cli import cli
from hnclip_cli.errors import ExitCode, HnclipError, Stopped
from hnclip_cli.plugins import TABLES, VARIABLE, Table, import_from, load_plugin
from tests.conftest import ROOT, parse_lines, run_hnclip, to_lines

KIND = """
from hnclip_cli.language.caption import TEXT
from hnclip_cli.negatives.kinds.registry import Kind

def shout(caption):
    {body}

KINDS = {{"{name}": Kind(shout, TEXT, "this test", is_judged=False)}}
"""
GOOD = KIND.format(name="shout", body="yield [(0, 1, 'No, a')]")
CAPTIONS = to_lines(*({"id": str(n), "caption": f"a cat on bed {n}"} for n in range(40)))


@dataclasses.dataclass(frozen=True)
class Entry:
    run: Callable[..., Any]
    more: Any = None


class Odd(BaseException):
    pass


class Maker:
    def work(self):
        raise ValueError("so what")


@pytest.fixture(autouse=True)
def no_plugins_yet(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setattr(plugins, "in_use", set())
    monkeypatch.chdir(tmp_path)
    yield
    forget()


def forget():
    """What this process has loaded."""
    plugins._import.cache_clear()
    for place in TABLES.values():
        import_from(place)._loaded.clear()


def table(monkeypatch, *additions, **built_in):
    """A table, and what plug-ins have for it: pairs of a name and an entry."""
    found = [plugins.Addition(n, "x.py", lambda e=e: e, True) for n, e in additions]
    monkeypatch.setattr(plugins, "additions", lambda name: found)
    return Table("entries", built_in, Entry)


def test_built_in_entries_come_first_and_late_ones_are_imported_when_asked_for(monkeypatch):
    entry, added = Entry(len), Entry(len, 2)
    entries = table(monkeypatch, ("c", added), b="tests.test_plugins:CAPTIONS", a=entry)
    assert list(entries) == ["b", "a", "c"] and "c" in entries and len(entries) == 3
    assert (entries["a"], entries["b"]) == (entry, CAPTIONS)
    assert entries["c"].more == 2
    with pytest.raises(KeyError):
        entries["d"]


def test_two_plugins_may_not_mean_different_things_by_one_name(monkeypatch):
    entries = table(monkeypatch, ("c", Entry(len)), ("c", Entry(len)), a=Entry(len))
    with pytest.raises(HnclipError, match=r"'c' is in x\.py and x\.py"):
        entries["c"]


def test_what_a_function_of_an_entry_raises_names_the_plugin_at_any_depth(monkeypatch):
    def fail(*args):
        raise ValueError("so what")

    def fail_later():
        yield 1
        fail()

    entries = table(
        monkeypatch,
        ("a", Entry(fail)),
        ("b", Entry(fail_later)),
        ("c", Entry(len, {"deep": Entry(fail)})),
        ("d", Entry(fail_later, more={fail: 0.5})),
        ("e", Entry(Maker)),
    )
    said = r"^plug-in x\.py: '{}' of its entries: ValueError: so what$"
    with pytest.raises(HnclipError, match=said.format("a")):
        entries["a"].run()
    items = entries["b"].run()
    assert next(items) == 1
    with pytest.raises(HnclipError, match=said.format("b")):
        next(items)
    with pytest.raises(HnclipError, match=said.format("c")):
        entries["c"].more["deep"].run()
    made = entries["e"].run()
    with pytest.raises(HnclipError, match=said.format("e")):
        made.work()
    (function,) = entries["d"].more
    with pytest.raises(HnclipError, match=said.format("d")):
        function()
    assert entries["c"].run("four") == 4


@pytest.mark.parametrize("failure", [Odd("so what"), SystemExit("so what")])
def test_failures_that_are_no_exceptions_name_the_plugin(monkeypatch, failure):
    def fail():
        raise failure

    said = rf"^plug-in x\.py: 'a' of its entries: {type(failure).__name__}: so what$"
    with pytest.raises(HnclipError, match=said):
        table(monkeypatch, ("a", Entry(fail)))["a"].run()


@pytest.mark.parametrize("ending", [KeyboardInterrupt, Stopped, SystemExit(ExitCode.TERMINATED)])
def test_an_ending_is_no_failure_of_a_plugin(monkeypatch, ending):
    def end():
        raise ending

    with pytest.raises((KeyboardInterrupt, Stopped, SystemExit)):
        table(monkeypatch, ("a", Entry(end)))["a"].run()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_kind_from_a_file_is_made_in_every_process(tmp_path, parser, workers):
    (tmp_path / "mine.py").write_text(GOOD)
    arguments = ["negatives", "--plugin", "mine.py", "--kind", "shout", "--workers", workers]
    done = run_hnclip(*arguments, stdin=CAPTIONS, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    made = [record["negatives"] for record in parse_lines(done.stdout)]
    assert len(made) == 40
    assert made[7] == [
        {"caption": "No, a cat on bed 7", "kind": "shout", "edits": [[0, 1, "No, a"]]}
    ]


def test_a_module_of_the_path_is_a_plugin_too_and_so_is_what_the_environment_names(
    tmp_path, monkeypatch, parser
):
    (tmp_path / "my_shouts.py").write_text(GOOD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for more in ({VARIABLE: ""}, {VARIABLE: "my_shouts"}):
        monkeypatch.setenv(VARIABLE, more[VARIABLE])
        named = [] if more[VARIABLE] else ["--plugin", "my_shouts"]
        done = run_hnclip("negatives", *named, "--kind", "shout", stdin=CAPTIONS)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"No, a cat on bed 3" in done.stdout


def test_the_file_of_the_page_works(tmp_path, parser):
    page = (ROOT / "docs/plugins.md").read_text()
    (tmp_path / "my_kinds.py").write_text(page.split("```python\n")[1].split("```")[0])
    arguments = ["negatives", "--plugin", "my_kinds.py", "--kind", "swap-pet"]
    result = CliRunner().invoke(cli, arguments, input=CAPTIONS)
    assert "a dog on bed 3" in result.stdout


def test_load_plugin_is_the_same_in_python(tmp_path):
    (tmp_path / "mine.py").write_text(GOOD)
    load_plugin("mine.py")
    load_plugin("mine.py")
    kinds = import_from(TABLES["kinds"])
    assert list(kinds)[-1] == "shout"
    assert os.environ[VARIABLE] == str(tmp_path / "mine.py")


BROKEN = {
    "there is none": (None, "plug-in {file}: no such file"),
    "syntax": ("def", "plug-in {file}: SyntaxError: "),
    "import": ("import no_such_module", "plug-in {file}: ModuleNotFoundError: "),
    "exit": ("raise SystemExit(4)", "plug-in {file}: SystemExit: 4"),
    "nothing": ("x = 1", "plug-in {file}: it adds nothing; expected any of KINDS"),
    "a number for a name": (
        "KINDS = {5: 1}",
        "plug-in {file}: a name in KINDS is none; got 5, expected some text",
    ),
    "asked in vain": (
        "def __getattr__(name): raise ValueError(name)",
        "plug-in {file}: ValueError: ",
    ),
    "no dict": ("KINDS = [1]", "plug-in {file}: KINDS has the wrong type; got list, expected"),
    "wrong type": (
        "KINDS = {'shout': 1}",
        "plug-in {file}: 'shout' of its kinds: wrong type; got int, expected Kind",
    ),
    "built in": (
        KIND.format(name="negate", body="yield"),
        "plug-in {file}: 'negate' of its kinds is built in; try another name",
    ),
    "raises": (
        KIND.format(name="shout", body="raise KeyError(1)"),
        "plug-in {file}: 'shout' of its kinds: KeyError: 1",
    ),
    "raises later": (
        KIND.format(name="shout", body="yield [(0, 1, 'a')]; 1 / 0"),
        "plug-in {file}: 'shout' of its kinds: ZeroDivisionError: division by zero",
    ),
    "no edits": (
        KIND.format(name="shout", body="yield 'a dog'"),
        "plug-in {file}: 'shout' of its kinds: ValueError: not enough values to unpack",
    ),
    "edits elsewhere": (
        KIND.format(name="shout", body="yield [(0, 99, 'a')]"),
        "plug-in {file}: 'shout' of its kinds: ValueError: (0, 99, 'a') is no edit of 'a cat on",
    ),
}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_plugin_is_one_line_that_names_it(tmp_path, parser, what, workers):
    text, said = BROKEN[what]
    if text:
        (tmp_path / "mine.py").write_text(text)
    kind = "negate" if what == "built in" else "shout"
    arguments = ["negatives", "--plugin", "mine.py", "--kind", kind, "--workers", str(workers)]
    result = CliRunner().invoke(cli, arguments, input=CAPTIONS)
    assert (result.exit_code, result.stdout) == (1, ""), result.stderr
    assert result.stderr.count("\n") == 1
    assert said.format(file=tmp_path / "mine.py") in result.stderr


def test_a_fault_elsewhere_names_the_plugins_in_use(tmp_path, parser, monkeypatch):
    def fail(*args):
        raise KeyError("x")

    (tmp_path / "mine.py").write_text(GOOD)
    monkeypatch.setattr("hnclip_cli.console.format_record", fail)
    arguments = ["negatives", "--plugin", "mine.py", "--kind", "shout"]
    result = CliRunner().invoke(cli, arguments, input=CAPTIONS)
    assert result.exit_code == 1
    said = f"hnclip: KeyError: 'x'; plug-ins in use: {tmp_path / 'mine.py'}; try -v\n"
    assert result.stderr == said
    result = CliRunner().invoke(cli, [*arguments, "-v"], input=CAPTIONS)
    assert result.exit_code == 1
    assert "Traceback" in result.stderr and "raise KeyError" in result.stderr


def test_what_is_loaded_is_listed_with_its_place_and_its_faults(tmp_path):
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "bad.py").write_text("KINDS = {'wrong': 1}")
    arguments = ["plugins", "--plugin", "good.py", "--plugin", "bad.py"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 1
    good, bad = parse_lines(result.stdout_bytes)
    assert good == {"table": "kinds", "name": "shout", "from": str(tmp_path / "good.py")}
    assert bad["name"] == "wrong" and "wrong type" in bad["error"]
    result = CliRunner().invoke(cli, [*arguments, "--format", "table"])
    first, second = result.stdout.splitlines()
    assert first.split() == ["kinds", "shout", str(tmp_path / "good.py")]
    assert "wrong type" in second


def test_without_plugins_nothing_is_listed():
    result = CliRunner().invoke(cli, ["plugins"])
    assert (result.exit_code, result.stdout) == (0, "")


FAULTY = """
from hnclip_cli.benchmarks import Benchmark, Metric
from hnclip_cli.negatives.generators.registry import Generator

class Maker:
    def __init__(self, choosing):
        pass
    def negatives(self, records):
        {made}
    def summary(self):
        return []

def read(files):
    {read}

GENERATORS = {{"faulty": Generator(Maker, in_processes={in_processes}, workers=1)}}
BENCHMARKS = {{"faulty": Benchmark(read, (Metric("m", leaf=lambda place: {leaf}),))}}
"""
SOUND = {"made": "return [[] for record in records]", "read": "yield {}", "leaf": "()"}


def fault(tmp_path, command, data, in_processes=False, **faults):
    """The error of a command that uses a faulty plug-in."""
    forget()
    (tmp_path / "mine.py").write_text(FAULTY.format(in_processes=in_processes, **SOUND | faults))
    result = CliRunner().invoke(cli, [*command, "--plugin", "mine.py"], input=data)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1 and "mine.py" in result.stderr
    return result.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("in_processes", [True, False])
@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("return []", "ValueError"),
        ("return [3 for record in records]", "TypeError"),
    ],
)
def test_a_fault_of_a_generator_is_one_line(tmp_path, parser, made, said, in_processes, workers):
    command = ["negatives", "--kind", "negate", "--generator", "faulty", "--workers", workers]
    found = fault(tmp_path, command, CAPTIONS, in_processes, made=made)
    assert f"'faulty' of its generators: {said}" in found


def test_a_fault_of_a_benchmark_is_one_line(tmp_path):
    read = ["data", "benchmark", "faulty", ".", "--images", "."]
    found = fault(tmp_path, read, b"", read="yield {}; 1 / 0")
    assert "'faulty' of its benchmarks: ZeroDivisionError" in found
    assert "TypeError" in fault(tmp_path, read, b"", read="return 3")
    pair = {"image": "1.png", "caption": "a", "negatives": [{"caption": "b", "kind": "k"}]}
    scored = to_lines(pair | {"benchmark": "faulty", "subset": "s", "scores": [[1, 0]]})
    found = fault(tmp_path, ["eval", "--bootstrap", "0"], scored, leaf="1 / 0")
    assert "'faulty' of its benchmarks: ZeroDivisionError" in found
