"""Which words are marked as changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.evaluation.pages.changes import GONE, changes

text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)


def marked(caption, negative, edits=None):
    """With [-what is gone-] and {+what is new+}."""
    parts = changes(caption, negative, edits)
    if isinstance(parts, str):
        return parts
    forms = {-1: "[-{}-]", 0: "{}", 1: "{{+{}+}}"}
    return "".join(forms[mark].format(part) for mark, part in parts)


def test_the_words_that_changed_are_marked():
    assert marked("a cat on a mat", "a dog on a mat") == "a[- cat-]{+ dog+} on a mat"
    assert marked("a light.", "a dim light") == "a{+ dim+} light[-.-]"
    assert marked("same", "same") == "same"


def test_words_are_compared_within_the_edits_that_are_known():
    edits = [[2, 5, "red dog"], [15, 22, "cat"]]
    negative = "a red dog chases a cat"
    assert marked("a cat chases a red dog", negative, edits) == (
        "a [-cat-]{+red dog+} chases a [-red dog-]{+cat+}"
    )
    moved = marked("a black poodle by a hydrant", "a poodle by a black hydrant",
                   [[2, 14, "poodle"], [20, 27, "black hydrant"]])  # fmt: skip
    assert moved == "a [-black-]poodle by a {+black+} hydrant"


@pytest.mark.parametrize("edit", [[2, 5, "cow"], [2, 99, "dog"], ["x", 5, "dog"], [2, 5, 7]])
def test_edits_that_do_not_lead_to_the_negative_are_not_believed(edit):
    assert marked("a cat on a mat", "a dog on a mat", [edit]) == "a[- cat-]{+ dog+} on a mat"


@pytest.mark.parametrize(
    "negative",
    [
        "two dogs",  # shares little
        "on mat the cat sits small a",  # shuffled
        "cat small a sits the mat on",
        "one little kitten sits near the big mat now",  # rewritten
    ],
)
def test_where_marks_would_confuse_there_are_none(negative):
    assert changes("a small cat sits on the mat", negative) == negative


@given(text, text)
def test_a_negative_reads_as_itself_with_what_is_gone_in_it(caption, negative):
    parts = changes(caption, negative)
    if isinstance(parts, list):
        assert "".join(part for mark, part in parts if mark != GONE) == negative


def test_captions_that_would_take_for_ever_are_not_marked():
    long = "a b " * 4000
    assert changes(long, long.replace("b", "c", 3)) == long.replace("b", "c", 3)
