"""The page of models is up to date, and what writes it measures what it says."""

import re

import open_clip
import pytest

pytest.importorskip("transformers")
from docs.generate_models import PAGE, draw, families, measure

pytestmark = pytest.mark.long
ROW = re.compile(r"\| (\S+?)(?: and (\d+) more)? \|.*\| (\S+) \| (\S+) \| (\S+) \|")


def test_the_page_has_each_family_equal_to_open_clip():
    text = PAGE.read_text()
    if f"open_clip {open_clip.__version__}," not in text:
        pytest.skip("the page is of another open_clip")
    found = [ROW.fullmatch(line) for line in text.splitlines() if line.startswith("| ")][1:]
    assert [row and (row[1], int(row[2] or 0) + 1) for row in found] == [
        (names[0], len(names)) for names in families()
    ]
    for row in found:
        before, step, after = map(float, row.groups()[2:])
        assert before < 1e-6 and after < 1e-6 and step > 1e-5, row[0]


@pytest.mark.parametrize("name", ["ViT-B-16-quickgelu", "roberta-ViT-B-32"])
def test_a_family_is_embedded_trained_and_loaded_again(tmp_path, name):
    cells = measure(name, draw(tmp_path / "scenes"), tmp_path)
    before, step, after = map(float, cells.removesuffix(" |").split(" | "))
    assert before < 1e-6 and after < 1e-6 and step > 1e-5
