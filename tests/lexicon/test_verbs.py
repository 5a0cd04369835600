import pytest

from hnclip_cli.lexicon import load_lexicon
from hnclip_cli.lexicon.verbs import ING, THIRD, forms, inflected


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
        ("tie", "ties", "tying"),
    ],
)
def test_verbs_are_inflected(verb, third, ing):
    assert (inflected(verb, THIRD), inflected(verb, ING)) == (third, ing)
    assert forms(verb).keys() == {verb, third, ing}


def test_synonyms_are_one_action():
    actions = load_lexicon().verbs.actions
    assert actions["sitting"] == actions["seated"] == actions["perches"] == actions["perched"]
    assert actions["sitting"] != actions["standing"]
    assert "sit" not in actions
