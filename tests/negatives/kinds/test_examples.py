"""The examples beside the entries of the tables: each shows what its entry does."""

import pytest

from hnclip_cli.lexicon import load_lexicon
from hnclip_cli.lexicon.tables import Tables
from hnclip_cli.lexicon.verbs import ING, inflected
from hnclip_cli.negatives.analysis.nouns import mentions
from hnclip_cli.negatives.kinds.registry import KINDS
from hnclip_cli.streams.edits import apply_edits

LEXICON = load_lexicon()


@pytest.fixture
def new_words(parser):
    """For each row of a table, what a kind puts into its example."""

    def make(table, kind):
        rows = Tables().rows(table)
        captions = parser.parse([row["example"] for row in rows])
        for row, caption in zip(rows, captions, strict=True):
            yield row, {edits[0][2] for edits in KINDS[kind].edits(caption)}

    return make


def test_actions(new_words):
    def said(text):
        verb, _, rest = text.partition(" ")
        known = verb if verb in LEXICON.verbs.participles else inflected(verb, ING)
        return f"{known} {rest}".strip()

    wrong = [
        (row["example"], found)
        for row, found in new_words("actions", "replace-verb")
        if not found or not found <= set(map(said, row.items("instead")))
    ]
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize(
    ("table", "kind", "column"),
    [
        ("states", "replace-state", "instead"),
        ("flips", "flip-relation", "instead"),
        ("placements", "replace-relation", "instead"),
        ("made_of", "replace-material", "materials"),
        ("color_ranges", "replace-color", "colors"),
        ("sizes", "replace-size", "opposite"),
        ("stand_ins", "replace-noun", "instead"),
    ],
)
def test_what_an_entry_puts_in(new_words, table, kind, column):
    wrong = [
        (row["example"], found)
        for row, found in new_words(table, kind)
        if row[column] and not found & set(row.items(column))
    ]
    assert not wrong, "\n".join(map(str, wrong))


def test_what_is_often_there_too_does_not_replace(parser):
    rows = Tables().rows("alongside")
    for row, caption in zip(rows, parser.parse([row["example"] for row in rows]), strict=True):
        found = [*KINDS["replace-noun"].edits(caption), *KINDS["replace-location"].edits(caption)]
        texts = {apply_edits(caption.text, edits) for edits in found}
        assert texts
        for other in row.items("others"):
            assert caption.text.replace(row["noun"], other) not in texts


def test_colors_and_numbers_are_replaced(new_words):
    for table, kind in (("colors", "replace-color"), ("numbers", "replace-number")):
        assert [row["example"] for row, found in new_words(table, kind) if not found] == []
    assert [
        row["example"] for row, found in new_words("color_names", "replace-color") if found
    ] == []


def test_odd_colors_are_added(parser, new_words):
    for row in Tables().rows("color_ranges"):
        (caption,) = parser.parse([f"a {row['example'].split()[-1]}"])
        found = {edits[0][2].split()[0] for edits in KINDS["add-attribute"].edits(caption)}
        assert found == set(row.items("odd"))


def test_families_name_a_noun(parser):
    for row in Tables().rows("families"):
        (caption,) = parser.parse([row["example"]])
        assert row["family"] in [mention.noun.family.name for mention in mentions(caption)]
