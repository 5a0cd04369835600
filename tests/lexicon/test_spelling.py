import pytest

from hnclip_cli.lexicon.spelling import article, cased_like, plural


@pytest.mark.parametrize(
    "word",
    ["umbrella", "hour", "orange", "honest", "heir", "herb", "8-year-old", "11", "X-ray", "SUV",
     "unidentified", "urn", "usher", "onion", "online", "ugly", "elephant", "MRI", "élan"],
)  # fmt: skip
def test_an_stands_before_a_vowel_sound(word):
    assert article(word) == "an"


@pytest.mark.parametrize(
    "word",
    ["uniform", "European", "one-way", "unicycle", "used", "utensil", "ukulele", "once", "UFO",
     "house", "herbivore", "cat", "100", "U-turn", "ewe", "user", "yellow", "", "😀", "urinal"],
)  # fmt: skip
def test_a_stands_before_a_consonant_sound(word):
    assert article(word) == "a"


def test_plurals_follow_the_spelling():
    nouns = ["bus", "box", "bench", "puppy", "monkey", "fireman", "human", "cat"]
    assert [plural(noun) for noun in nouns] == [
        "buses", "boxes", "benches", "puppies", "monkeys", "firemen", "humans", "cats",
    ]  # fmt: skip


def test_a_replacement_takes_the_case_of_what_it_replaces():
    assert cased_like("dog", "cat") == "dog"
    assert cased_like("dog", "Cat") == "Dog"
    assert cased_like("dog", "CAT") == "DOG"
    assert cased_like("on top of", "In Front Of") == "On Top Of"
    assert cased_like("on top of", "Under") == "On top of"
