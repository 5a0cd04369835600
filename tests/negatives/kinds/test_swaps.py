import pytest


@pytest.mark.parametrize(
    ("caption", "negative"),
    [
        ("a green star above a yellow triangle", "a green triangle above a yellow star"),
        ("A bench under an old cat.", "A cat under an old bench."),
        ("An elephant chases a dog.", "A dog chases an elephant."),
        ("a black cat and a white dog", "a black dog and a white cat"),
        ("A RED CAR IS BEHIND A BLUE BUS", "A RED BUS IS BEHIND A BLUE CAR"),
        ("Two dogs on top of two cats", "Two cats on top of two dogs"),
        ("a cat at the bottom and a dog at the top", "a dog at the bottom and a cat at the top"),
    ],
)
def test_nouns_are_swapped(candidates, caption, negative):
    assert candidates("swap-noun", caption) == [negative]


@pytest.mark.parametrize(
    "caption",
    [
        "a cat and a dog",
        "a cat and a dog on the left",
        "A man sitting next to a woman.",
        "A bus beside a truck.",
        "A woman with a dog.",
        "A man in a suit is wearing a tie",
        "A bus traveling down a road beside a motorcycle.",
        "a cat near a dog on the floor",
        "a bowl of bananas",
        "A man riding a skateboard",
        "a cat in bed",
        "A cat chasing two dogs.",
        "A woman holding her dog above a man.",
        "A cat on top of an old bench.",
        "A ball above a baseball",
    ],
)
def test_a_swap_that_keeps_the_meaning_or_breaks_the_grammar_is_not_made(candidates, caption):
    assert candidates("swap-noun", caption) == []


@pytest.mark.parametrize(
    ("caption", "negative"),
    [
        (
            "A small red circle is to the left of a large blue square.",
            "A large blue square is to the left of a small red circle.",
        ),
        ("a red circle above a blue circle", "a blue circle above a red circle"),
        ("A red cup on the left, a blue cup.", "A blue cup on the left, a red cup."),
        ("An orange cat is behind the big dog.", "The big dog is behind an orange cat."),
        (
            "There is a purple heart below an orange cross",
            "There is an orange cross below a purple heart",
        ),
    ],
)
def test_noun_phrases_are_swapped_whole(candidates, caption, negative):
    assert candidates("swap-noun-phrase", caption) == [negative]


def test_noun_phrases_are_not_swapped_around_a_mutual_relation(candidates):
    assert candidates("swap-noun-phrase", "a red circle next to a blue square") == []
    assert candidates("swap-noun-phrase", "a red circle and a blue square") == []


@pytest.mark.parametrize(
    ("caption", "negatives"),
    [
        (
            "A small red circle is to the left of a large blue square.",
            [
                "A large red circle is to the left of a small blue square.",
                "A small blue circle is to the left of a large red square.",
                "A large blue circle is to the left of a small red square.",
            ],
        ),
        ("a red car and an orange bus", []),
        ("an orange ball under a white table", ["a white ball under an orange table"]),
        ("a black and white dog on a red rug", ["a red dog on a black and white rug"]),
        ("a large dog and a big cat", []),
        ("a black dog and a white dog", []),
        ("a black dog on top of a white dog", ["a white dog on top of a black dog"]),
        ("a white man in front of a red bus", []),
        ("a large dog and a red cat", []),
        ("a red-haired dog and a black cat", []),
        ("A man with a black and white photo of a red car", []),
    ],
)
def test_attributes_of_one_class_are_swapped(candidates, caption, negatives):
    assert sorted(candidates("swap-adjective", caption)) == sorted(negatives)


def test_no_floor_is_of_leather(candidates):
    assert candidates("swap-adjective", "A leather sofa on a wooden floor") == []
