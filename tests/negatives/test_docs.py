from pathlib import Path

from hnclip_cli.negatives.kinds import KINDS
from hnclip_cli.negatives.presets import PRESETS

PAGE = Path(__file__).parents[2] / "docs" / "negatives.md"


def test_the_examples_of_the_documentation_are_what_the_kinds_make(candidates):
    lines = PAGE.read_text().splitlines()
    rows = [line.strip("|").split("|") for line in lines if "| `" in line and line.count("|") == 5]
    examples = {cells[0].strip(" `"): (cells[2].strip(), cells[3].strip()) for cells in rows}
    assert examples.keys() == KINDS.keys()
    for kind, (caption, negative) in examples.items():
        assert negative in candidates(kind, caption)


def test_the_documentation_names_every_preset():
    assert all(f"| `{name}` |" in PAGE.read_text() for name in PRESETS)
