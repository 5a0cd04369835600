"""Articles and plurals, judged by another hand: the rules of the package inflect."""

import inflect
import pytest

from hnclip_cli.lexicon import load_lexicon
from hnclip_cli.lexicon.spelling import article

LEXICON = load_lexicon()

# Where we know better: ours, and why.
PLURALS = {
    "burrito": "burritos",  # so in every dictionary; inflect adds -es to all it does not know
    "flamingo": "flamingos",  # both are in use, and captions say this
    "tuxedo": "tuxedos",  # the same
    "elk": "elk",  # like deer
    "buffalo": "buffalo",  # both are in use
    "bison": "bison",  # so in every dictionary
    "gentleman": "gentlemen",  # inflect takes it for a name, as "Roman"
}
ARTICLES = {
    "ones": "a",  # begins as "won"
}


def words():
    attributes = LEXICON.attributes
    known = {word for members in LEXICON.words.values() for word in members if word.isalpha()}
    states = {text for all_ in attributes.states.values() for one in all_ for text in one.instead}
    return sorted(
        known
        | states
        | LEXICON.nouns.forms.keys()
        | LEXICON.verbs.actions.keys()
        | attributes.states.keys()
        | attributes.looks.keys()
        | attributes.known.keys()
        | attributes.opposites.keys()
    )


@pytest.fixture(scope="module")
def judge():
    return inflect.engine()


def test_articles(judge):
    ours = {word: article(word) for word in words()}
    theirs = {word: judge.a(word).split()[0] for word in words()}
    assert {word: ours[word] for word in words() if ours[word] != theirs[word]} == ARTICLES


def test_plurals(judge):
    nouns = {noun for noun in LEXICON.nouns.forms.values() if noun.singular and noun.plural}
    odd = {
        noun.singular: noun.plural
        for noun in nouns
        if judge.plural_noun(noun.singular) != noun.plural
    }
    assert odd == PLURALS
