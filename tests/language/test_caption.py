"""Captions as words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnclip_cli.language.caption import TEXT, once
from hnclip_cli.language.parser import Parser

SENTENCES = [
    "A man in a red shirt and a tall woman are riding two brown horses on the beach.",
    "This is what I like, and those that she has seen are hers.",
    "Which of these is a dog, a cat or both? That one that is his.",
    "There are some who say that nobody is here: he, she and they.",
    "The black and white photo shows a fire hydrant, a bus, and the sign of an old hotel",
    "red bus", "two", "  ", "", "A\nB", "!!!", "...a...", "sitting down he they a",
]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60) | st.lists(st.sampled_from(SENTENCES)).map(" ".join))
def test_words_are_places_of_the_caption(parser, text):
    assert Parser(TEXT).parse([text])[0].words == []
    for word in parser.parse([text])[0].words:
        assert text[word.start : word.end] == word.text and word.text.lower() == word.lower


def test_what_was_found_once_is_not_looked_for_again(parser):
    asked = []
    look = once(lambda caption: asked.append(caption) or len(caption.text))
    one, other = parser.parse(["a cat", "a dog on a bed"])
    assert [look(one), look(other), look(one)] == [5, 14, 5]
    assert asked == [one, other]


def test_what_is_asked_about_a_part_is_remembered_by_that_part(parser):
    letter = once(lambda caption, index: asked.append(index) or caption.text[index])
    asked = []
    (one,) = parser.parse(["a cat"])
    assert [letter(one, 0), letter(one, 2), letter(one, 0)] == ["a", "c", "a"]
    assert asked == [0, 2]


@pytest.mark.parametrize(
    ("text", "nouns"),
    [
        ("a red ring, and a star left of the red ring", {"ring"}),
        ("A dog sits. The dogs run.", {"dog", "dogs"}),
        ("my new puppy! #puppylove #cute", {"puppy"}),
        ("A dog near a dog", set()),
        ("A dog sits. A cat runs.", set()),
    ],
)
def test_nouns_that_are_taken_up_again(parser, text, nouns):
    assert parser.parse([text])[0].resumed == nouns
