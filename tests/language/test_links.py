import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnclip_cli.language.links import DETERMINER, lemmas, links, noun_lemma, verb_lemma
from hnclip_cli.lexicon import load_lexicon


@pytest.fixture(scope="module")
def linked(parser):
    """The links of a caption as texts, but for determiners."""

    def read(text):
        (caption,) = parser.parse([text])
        return {
            f"{head} | {relation} | {dependent}"
            for relation, head, dependent, _, _ in links(caption)
            if relation != DETERMINER
        }

    return read


def test_who_does_what_to_what(linked):
    assert linked("A man is riding a brown horse.") == {
        "to rid | subject | man",
        "to rid | object | horse",
        "man | patient | horse",
        "horse | modifier | brown",
    }


def test_what_is_where(linked):
    assert linked("A cat sits next to a fire hydrant") == {
        "to sit | subject | cat",
        "next to | place | fire hydrant",
        "to sit | verb next to | fire hydrant",
        "cat | noun next to | fire hydrant",
    }


def test_a_noun_may_be_placed_without_a_verb(linked):
    assert "cup | noun on | table" in linked("A cup is on a table")
    assert "cup | noun on | table" in linked("A cup on a table")


def test_who_acts_is_the_living_one_and_not_what_describes_it(linked):
    assert "to hold | subject | woman" in linked("A woman in a hat holding an umbrella")
    assert "to chas | subject | dog" in linked("A man with a dog chasing a cat")


def test_what_is_joined_to_what_describes_one_does_not_act(linked):
    assert "to sit | subject | man" in linked("A man in a shirt and jeans sitting on a rock")


def test_a_group_of_people_is_people(linked):
    found = linked("A man watching a group of elephants")
    assert "to watch | object | elephant" in found
    assert not any("group" in link for link in found)


def test_what_is_joined_shares_what_is_said_of_the_first(linked):
    found = linked("A man holding a knife and a fork")
    assert {"knife | and | fork", "to hold | object | fork"} <= found


def test_sorts_of_things_are_compounds(linked):
    assert "chair | compound | computer" in linked("A cat on a computer chair")


@pytest.mark.parametrize(
    ("caption", "determiners"),
    [
        ("A dog and two cats", {("dog", "a"), ("cat", "# plural")}),
        ("his hat on the table", {("hat", "his"), ("table", "the")}),
        ("Cows and 3 birds", {("cow", " plural"), ("bird", "# plural")}),
    ],
)
def test_how_a_noun_is_counted(parser, caption, determiners):
    (parsed,) = parser.parse([caption])
    found = {link[1:3] for link in links(parsed) if link.relation == DETERMINER}
    assert found == determiners


def test_each_named_word_has_its_lemma(parser):
    (caption,) = parser.parse(["Two women ride bicycles"])
    assert lemmas(links(caption)) == {1: "woman", 2: "to rid", 3: "bicycle"}


def test_all_forms_of_a_word_have_one_lemma():
    for forms in (
        ("ride", "rides", "riding"),
        ("sit", "sits", "sitting"),
        ("carry", "carries", "carrying", "carried"),
        ("watch", "watches", "watching", "watched"),
        ("fall", "falls", "falling"),
    ):
        assert len(set(map(verb_lemma, forms))) == 1
    lexicon = load_lexicon()
    for one, several in (("man", "men"), ("fly", "flies"), ("box", "boxes"), ("zork", "zorks")):
        assert noun_lemma(several, lexicon) == one


WORDS = ["a", "two", "red", "dog", "riding", "next", "to", "of", "group", ",", "and", "-", "\u00e9"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_any_words_can_be_read(parser, text):
    (caption,) = parser.parse([text])
    for link in links(caption):
        assert link.head and (link.dependent or link.relation == DETERMINER)
        assert 0 <= link.at < len(caption.words) and 0 <= link.to < len(caption.words)
