"""Captions as words, against spaCy itself, which the parser follows by a shorter way."""

import orjson
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from hnclip_cli.language.caption import TAGS, TEXT, once
from hnclip_cli.language.parser import Parser, _installed_model
from hnclip_cli.negatives.analysis.nouns import mentions

SENTENCES = [
    "A man in a red shirt and a tall woman are riding two brown horses on the beach.",
    "This is what I like, and those that she has seen are hers.",
    "Which of these is a dog, a cat or both? That one that is his.",
    "There are some who say that nobody is here: he, she and they.",
    "The black and white photo shows a fire hydrant, a bus, and the sign of an old hotel",
    "red bus", "two", "  ", "", "A\nB", "!!!", "...a...", "sitting down he they a",
]  # fmt: skip


@pytest.fixture(scope="module")
def whole_pipeline(parser):
    return spacy.load(_installed_model(), exclude=["ner", "lemmatizer"])


def phrases_of_spacy(doc):
    return [(chunk.start, chunk.end, chunk.root.i) for chunk in doc.noun_chunks]


def phrases_of(caption):
    return [(phrase.first, phrase.stop, phrase.stop - 1) for phrase in caption.phrases]


def test_phrases_are_the_noun_chunks_of_spacy(parser, whole_pipeline):
    for caption in parser.parse(SENTENCES):
        assert phrases_of(caption) == phrases_of_spacy(whole_pipeline(caption.text)), caption.text


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(" ".join(SENTENCES).split()), max_size=14).map(" ".join))
def test_phrases_are_the_noun_chunks_of_spacy_in_any_word_order(parser, whole_pipeline, text):
    (caption,) = parser.parse([text])
    assert phrases_of(caption) == phrases_of_spacy(whole_pipeline(text))


def test_phrases_of_real_captions_are_the_noun_chunks_of_spacy(parser, whole_pipeline, real_data):
    lines = (real_data / "coco" / "captions.jsonl").read_bytes().splitlines()[:300]
    texts = [orjson.loads(line)["caption"] for line in lines]
    for caption, doc in zip(parser.parse(texts), whole_pipeline.pipe(texts), strict=True):
        assert phrases_of(caption) == phrases_of_spacy(doc), caption.text


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60) | st.lists(st.sampled_from(SENTENCES)).map(" ".join))
def test_words_are_places_of_the_caption_and_the_same_at_each_level(parsers, text):
    nothing, tags, phrases = (parser.parse([text])[0].words for parser in parsers)
    for word in phrases:
        assert text[word.start : word.end] == word.text and word.text.lower() == word.lower
    assert phrases == tags and nothing == []


@pytest.fixture(scope="module")
def parsers(parser):
    return Parser(TEXT), Parser(TAGS), parser


def test_what_was_not_parsed_has_no_phrases(parsers):
    text, tags, _ = (parser.parse(["a cat on a bed"])[0] for parser in parsers)
    assert text.phrases == tags.phrases == mentions(text) == []


def test_what_was_found_once_is_not_looked_for_again(parsers):
    asked = []
    look = once(lambda caption: asked.append(caption) or len(caption.text))
    one, other = parsers[0].parse(["a cat", "a dog on a bed"])
    assert [look(one), look(other), look(one)] == [5, 14, 5]
    assert asked == [one, other]


def test_what_is_asked_about_a_part_is_remembered_by_that_part(parsers):
    letter = once(lambda caption, index: asked.append(index) or caption.text[index])
    asked = []
    (one,) = parsers[0].parse(["a cat"])
    assert [letter(one, 0), letter(one, 2), letter(one, 0)] == ["a", "c", "a"]
    assert asked == [0, 2]
