from pathlib import Path

from hnclip_cli.negatives.kinds import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "negatives.md"


def test_the_examples_of_the_documentation_are_what_the_kinds_make(candidates):
    rows = [line.strip("|").split("|") for line in PAGE.read_text().splitlines() if "| `" in line]
    examples = {cells[0].strip(" `"): (cells[2].strip(), cells[3].strip()) for cells in rows}
    assert examples.keys() == KINDS.keys()
    for kind, (caption, negative) in examples.items():
        assert negative in candidates(kind, caption)
