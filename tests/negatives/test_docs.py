import re
from pathlib import Path

from docs.generate_kinds import SHOWN, examples, marked, presets
from hnclip_cli.negatives.choosing.truth import TrueCaptions
from hnclip_cli.negatives.kinds.registry import KINDS
from hnclip_cli.streams.records import Record

EXAMPLES = Path(__file__).parents[2] / "docs" / "kinds.md"


def test_the_documentation_names_every_preset():
    assert EXAMPLES.read_text().endswith(presets()), "run: python docs/generate_kinds.py"


def test_every_kind_is_shown_on_captions():
    sections = re.split(r"^## ", EXAMPLES.read_text(), flags=re.MULTILINE)[1:]
    assert [section.split("\n")[0] for section in sections] == [*KINDS, "Presets"]
    for section in sections[:-1]:
        rows = re.findall(r"^\| (.*) \| (.*) \|$", section, re.MULTILINE)[1:]
        assert len(rows) == SHOWN or "give no more" in section
        for caption, negative in rows:
            assert "**" in caption and "**" in negative and caption != negative


def test_what_differs_is_in_bold_and_the_rest_is_no_markup():
    edits = [[0, 1, "An"], [2, 5, "old"], [12, 15, "*"]]
    assert marked("A red car | <b> ", edits) == (
        "**A red** car &#124; **&lt;b&gt;**",
        "**An old** car &#124; **&#42;**",
    )


def test_examples_come_in_order_with_their_negatives(parser):
    records = [Record({"id": str(i), "caption": text}) for i, text in enumerate(["x", "A red bus"])]
    (shown,) = examples("replace-color", records, TrueCaptions())
    assert shown[0] is records[1] and shown[1]["kind"] == "replace-color"
