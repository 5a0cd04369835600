from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.negatives import shuffles
from hnclip_cli.negatives.kinds import KINDS
from hnclip_cli.negatives.parsing import WORDS, Parser
from hnclip_cli.streams.edits import apply_edits

CAPTION = "one two three four five six seven."


@cache
def parser():
    return Parser(WORDS)


def orders(function, text):
    (caption,) = parser().parse([text])
    return [apply_edits(text, edits) for edits in function(caption)]


@pytest.mark.parametrize(
    "function",
    [
        shuffles.shuffle_words,
        shuffles.shuffle_bigrams,
        shuffles.shuffle_trigrams,
        shuffles.shuffle_within_trigrams,
    ],
)
def test_words_stay_and_their_order_changes(function):
    made = orders(function, CAPTION)
    assert made
    for text in made:
        assert text != CAPTION and text.endswith(".")
        assert sorted(text[:-1].split()) == sorted(CAPTION[:-1].split())
    assert made == orders(function, CAPTION)


def test_blocks_stay_together():
    for text in orders(shuffles.shuffle_bigrams, CAPTION):
        assert "one two" in text and "three four" in text and "five six" in text
    for text in orders(shuffles.shuffle_trigrams, CAPTION):
        assert "one two three" in text and "four five six" in text
    for text in orders(shuffles.shuffle_within_trigrams, CAPTION):
        assert sorted(text.split()[:3]) == ["one", "three", "two"]


def test_what_has_one_order_gives_nothing():
    for text in ["", "one", "...", "no no no"]:
        assert orders(shuffles.shuffle_words, text) == []


def test_nouns_and_adjectives_change_places_among_themselves(candidates):
    for text in candidates("shuffle-nouns-and-adjectives", "A red car behind the old house"):
        words = text.split()
        assert words[0] in ("A", "An") and words[3:5] == ["behind", "the"]
    for text in candidates("shuffle-other-words", "A red car behind the old house"):
        words = text.split()
        assert [words[1], words[2], words[5], words[6]] == ["red", "car", "old", "house"]


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_shuffled_or_left_alone(text):
    words = parser().parse([text])[0].words
    for made in orders(shuffles.shuffle_words, text):
        assert sorted(made.replace(" ", "")) == sorted(text.replace(" ", ""))
    assert all(text[word.start : word.end] == word.text for word in words)


def test_orders_of_ngrams_need_no_tagger():
    assert {name for name, kind in KINDS.items() if kind.level == WORDS} == {
        "shuffle-words", "shuffle-bigrams", "shuffle-trigrams", "shuffle-within-trigrams",
    }  # fmt: skip
