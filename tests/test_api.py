"""The Python API: lazy, typed, and as docs/api.md shows it."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hnclip_cli as hnclip
from tests.conftest import ROOT, environment
from tests.test_imports import HEAVY

SOURCE = Path(hnclip.__file__)


def test_importing_it_imports_nothing():
    script = "import hnclip_cli, sys; print(*sys.modules); dir(hnclip_cli)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment()
    )
    imported = {name.partition(".")[0] for name in done.stdout.split()}
    assert imported & (HEAVY | {"click"}) == set()
    assert [name for name in done.stdout.split() if name.startswith("hnclip_cli")] == ["hnclip_cli"]


def test_what_type_checkers_see_is_what_there_is():
    (block,) = (node for node in ast.parse(SOURCE.read_text()).body if isinstance(node, ast.If))
    seen = {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    (rename,) = (node for node in block.body if isinstance(node, ast.Assign))
    seen[rename.targets[0].id] = seen.pop(rename.value.id)
    assert seen == hnclip._PLACES
    assert set(hnclip.__all__) == seen.keys() <= set(dir(hnclip))
    assert (SOURCE.parent / "py.typed").exists()


@pytest.mark.parametrize("name", hnclip.__all__)
def test_every_function_says_what_it_does_and_names_its_options(name):
    function = getattr(hnclip, name)
    assert inspect.getdoc(function)
    parameters = list(inspect.signature(function).parameters.values())
    assert all(parameter.annotation is not parameter.empty for parameter in parameters)


def test_another_name_is_an_error():
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        hnclip.no_such_name  # noqa: B018


def test_the_examples_of_the_page_run_and_the_page_has_every_function(
    tmp_path, monkeypatch, parser, capsys
):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs/api.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/api.md", "exec"), names)
    assert capsys.readouterr().out
    assert {name for name in hnclip.__all__ if f"hnclip.{name}(" in page} == set(hnclip.__all__)
