import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.streams.edits import apply_edits, edit_between


@given(st.text(), st.text())
def test_the_edit_between_two_texts_turns_one_into_the_other(caption, negative):
    assert apply_edits(caption, edit_between(caption, negative)) == negative


def test_an_edit_covers_whole_words():
    assert edit_between("A man sits.", "A woman sits.") == [(2, 5, "woman")]
    assert edit_between("a cat", "a car") == [(2, 5, "car")]


def test_equal_texts_need_no_edit():
    assert edit_between("a cat", "a cat") == []


def test_edits_may_come_in_any_order():
    assert apply_edits("a black cat", [(8, 11, "dog"), (2, 7, "white")]) == "a white dog"


@pytest.mark.parametrize("edits", [[(0, 3, ""), (2, 4, "")], [(4, 3, "")], [(0, 99, "")]])
def test_bad_spans_are_refused(edits):
    with pytest.raises(ValueError, match="overlaps another or leaves"):
        apply_edits("a cat", edits)
