import pytest

from hnclip_cli.lexicon.actions import VERBS
from hnclip_cli.lexicon.inflection import ING, THIRD, actions, forms, inflected


@pytest.mark.parametrize(
    ("verb", "third", "ing"),
    [
        ("sit", "sits", "sitting"),
        ("stand", "stands", "standing"),
        ("lie", "lies", "lying"),
        ("ride", "rides", "riding"),
        ("run", "runs", "running"),
        ("carry", "carries", "carrying"),
        ("play", "plays", "playing"),
        ("catch", "catches", "catching"),
        ("fix", "fixes", "fixing"),
        ("throw", "throws", "throwing"),
        ("ski", "skis", "skiing"),
        ("eat", "eats", "eating"),
        ("chop", "chops", "chopping"),
        ("hug", "hugs", "hugging"),
        ("go", "goes", "going"),
    ],
)
def test_verbs_are_inflected(verb, third, ing):
    assert (inflected(verb, THIRD), inflected(verb, ING)) == (third, ing)
    assert forms(verb).keys() == {verb, third, ing}


def test_no_verb_is_listed_twice():
    assert len(VERBS.split()) == len(set(VERBS.split()))


def test_synonyms_are_one_action():
    assert actions()["sitting"] == actions()["seated"] == actions()["perches"]
    assert actions()["sitting"] != actions()["standing"]
    assert "sit" not in actions()
