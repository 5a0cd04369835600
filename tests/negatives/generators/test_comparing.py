import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.negatives.generators import comparing
from hnclip_cli.negatives.generators.comparing import edits_between
from hnclip_cli.streams.edits import apply_edits

WORDS = st.lists(st.sampled_from(["a", "dog", "cat", " ", "  ", ".", "🐕", "é", "don't"]))


@given(st.text(), st.text())
def test_edits_reproduce_any_text(caption, negative):
    assert apply_edits(caption, edits_between(caption, negative)) == negative


@given(WORDS, WORDS)
def test_edits_reproduce_texts_of_the_same_words(old, new):
    caption, negative = "".join(old), "".join(new)
    edits = edits_between(caption, negative)
    assert apply_edits(caption, edits) == negative
    assert edits == sorted(edits)
    assert bool(edits) == (caption != negative)


@pytest.mark.parametrize(
    ("caption", "negative", "edits"),
    [
        ("A red car.", "A blue car.", [(2, 5, "blue")]),
        ("A red car by a blue bus", "A blue car by a red bus", [(2, 5, "blue"), (15, 19, "red")]),
        ("a dog", "a purple dog", [(2, 2, "purple ")]),
        ("a big dog", "a dog", [(2, 6, "")]),
        ("a cat", "a cats", [(2, 5, "cats")]),
        ("a cat", "a cat", []),
        ("a cat", "a cat.", [(5, 5, ".")]),
    ],
)
def test_edits_are_whole_words_and_no_more_than_needed(caption, negative, edits):
    assert edits_between(caption, negative) == edits


def test_texts_that_differ_all_over_are_one_edit(monkeypatch):
    monkeypatch.setattr(comparing, "MAX_PIECES", 3)
    assert edits_between("x a b c d y", "x e f g h y") == [(2, 9, "e f g h")]
