"""Imports that wait until their names are used: the same objects, later."""

import subprocess
import sys

import pytest

from hnclip_cli.models.deferring import deferring
from tests.conftest import environment, to_lines

PACKAGE = {
    "__init__.py": "LOADED = True\n",
    "shapes.py": "class Square:\n    SIDES = 4\n\ndef area(side):\n    return side**2\n",
}
USER = """
import late
from late import shapes
from late.shapes import Square, area
try:
    import missing
except ImportError:
    missing = None
def is_square(x):
    return isinstance(x, (Square, int))
"""


@pytest.fixture
def user(tmp_path, monkeypatch):
    """A module whose imports of the package ``late`` wait."""
    folder = tmp_path / "late"
    folder.mkdir()
    for name, text in PACKAGE.items():
        (folder / name).write_text(text)
    (tmp_path / "user.py").write_text(USER)
    monkeypatch.syspath_prepend(str(tmp_path))
    with deferring("late", "missing"):
        import user  # type: ignore[import-not-found]
    yield user
    for name in ("user", "late", "late.shapes"):
        sys.modules.pop(name, None)


def test_nothing_is_imported_before_it_is_used(user):
    assert "late" not in sys.modules
    assert not user.is_square("x") and user.is_square(3)
    assert "late.shapes" not in sys.modules


def test_what_is_used_is_the_real_thing(user):
    assert user.area(3) == 9
    from late.shapes import Square  # type: ignore[import-not-found]

    assert user.is_square(Square()) and isinstance(user.Square(), Square)
    assert user.Square.SIDES == user.shapes.Square.SIDES == 4
    assert user.late.LOADED


def test_a_class_can_be_made_of_one(user):
    class Own(user.Square):
        pass

    assert Own.SIDES == 4


def test_what_is_not_installed_is_missing_at_once(user):
    assert user.missing is None


LOADS = """
import sys
from hnclip_cli.cli import main
sys.argv = ["hnclip", *sys.argv[1:]]
try:
    main()
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""
# For other models, and torch's compiler; all together thrice as long as torch.
UNUSED = {"timm", "transformers", "torch._dynamo"}


@pytest.mark.parametrize("command", ["embed", "score", "train", "train --dry-run"])
def test_a_model_without_them_imports_none(command, tiny_run, tmp_path):
    from tests.factories import make_records

    (tmp_path / "r.jsonl").write_bytes(to_lines(*make_records(tmp_path)))
    own = {"embed": ["--of", "image", "-o", "i.npy"], "score": []}.get(
        command, ["--steps", "1", "--batch-size", "2", "-o", "run", "--device", "cpu"]
    )
    given = [*command.split(), "--model", tiny_run, *own, "r.jsonl"]
    done = subprocess.run(
        [sys.executable, "-c", LOADS, *given], capture_output=True, text=True, cwd=tmp_path,
        env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert UNUSED & {*done.stderr.split()} == set()
