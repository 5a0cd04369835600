import pytest

from hnclip_cli.lexicon.action_rules import RULES
from hnclip_cli.lexicon.actions import FOLLOWERS, OBJECTS
from hnclip_cli.lexicon.nouns import nouns
from hnclip_cli.lexicon.objects import FAMILIES
from hnclip_cli.negatives.kinds import verbs


@pytest.mark.parametrize(
    ("caption", "negative"),
    [
        ("A man sitting on a bench", "A man standing on a bench"),
        ("A woman stands in a kitchen.", "A woman sits in a kitchen."),
        ("Two men stand near a bus", "Two men sit near a bus"),
        ("A man in a shirt is riding a skateboard", "A man in a shirt is holding a skateboard"),
        ("A boy wearing a hat and holding a cat", "A boy wearing a hat and chasing a cat"),
        ("A group of people walking down the street", "A group of people sitting on the street"),
        ("A truck parked on a street", "A truck driving down a street"),
        ("A dog that is sleeping on a bed", "A dog that is standing on a bed"),
        ("A bird sitting on a fence", "A bird flying over a fence"),
        ("A giraffe standing in a field", "A giraffe sitting in a field"),
        ("A MAN SITTING ON A BENCH", "A MAN STANDING ON A BENCH"),
    ],
)  # fmt: skip
def test_an_action_is_replaced_in_its_form(candidates, caption, negative):
    assert negative in candidates("replace-verb", caption)


@pytest.mark.parametrize(
    "caption",
    [
        "A plate sitting on a table",
        "A clock standing in a room",
        "A man not sitting on a bench",
        "A sitting-room with a man",
        "Sitting on a bench",
        "The holding of hands",
        "",
    ],
)
def test_what_is_no_known_action_of_someone_is_left_alone(candidates, caption):
    assert candidates("replace-verb", caption) == []


def test_an_action_that_the_caption_names_does_not_replace(candidates):
    assert candidates("replace-verb", "A man sitting on a bench near a man standing") == []


def test_actions_of_two_actors_are_exchanged(candidates):
    assert candidates("swap-verb", "A man sitting on a bench and a woman standing near a tree") == [
        "A man standing on a bench and a woman sitting near a tree"
    ]
    assert candidates("swap-verb", "A man sitting and a dog standing") == []
    assert candidates("swap-verb", "A man sitting on a bench and standing near it") == []


def test_adverbs_are_exchanged(candidates):
    assert candidates("swap-adverb", "A dog runs quickly and a cat walks slowly.") == [
        "A dog runs slowly and a cat walks quickly."
    ]
    assert candidates("swap-adverb", "A dog runs quickly.") == []
    assert candidates("swap-adverb", "A man easily and skillfully jumps.") == []


def test_who_goes_somewhere_does_not_stand_there_instead(candidates):
    assert candidates("swap-verb", "An elephant walking past an elephant standing there") == []


def test_rules_name_only_what_exists():
    for line in filter(None, map(str.strip, RULES.splitlines())):
        left, arrow, right = line.partition(" => ")
        actor, colon, pattern = left.partition(": ")
        assert arrow and colon and right
        assert actor in {"human", "pet", "bird", "beast", "road", "plane"}
        follower = pattern.split()[-1]
        if follower in ("@none", "@any"):
            continue
        if follower.startswith("@"):
            assert follower[1:] in OBJECTS
        if follower.startswith("#"):
            assert follower[1:] in FOLLOWERS


def test_classes_of_objects_name_families_of_the_lexicon():
    for entries in OBJECTS.values():
        for entry in entries.split():
            assert not entry.startswith(":") or entry[1:].replace("_", " ") in FAMILIES
    assert verbs._is_object("pizza", "food") and not verbs._is_object("cat", "food")
    assert nouns()["teddy bear"].family == "toy"
