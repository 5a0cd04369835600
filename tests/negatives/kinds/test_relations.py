import pytest


@pytest.mark.parametrize(
    ("caption", "negative"),
    [
        ("A circle is to the left of a square.", "A circle is to the right of a square."),
        ("a ring to the right of it", "a ring to the left of it"),
        ("a circle above a square", "a circle below a square"),
        ("A cat under a table", "A cat on top of a table"),
        ("A red star at the top.", "A red star at the bottom."),
        ("A bus in front of a house", "A bus behind a house"),
        ("A bus behind a house", "A bus in front of a house"),
        ("A MAN INSIDE A BUS", "A MAN OUTSIDE A BUS"),
        ("A man sitting outside.", "A man sitting inside."),
        ("Birds flying over the water", "Birds flying under the water"),
        ("a sign on the side of a road", "a sign in the middle of a road"),
        ("a bed in the corner of a room", "a bed in the middle of a room"),
        ("a man in the air.", "a man on the ground."),
        ("a kite on the ground.", "a kite in the air."),
        ("a street at night", "a street during the day"),
        ("a star beneath a red ring", "a star above a red ring"),
        ("a star is under a red ring", "a star is above a red ring"),
        ("a star over a red ring", "a star below a red ring"),
        ("Inside a bus", "Outside a bus"),
    ],
)
def test_a_relation_is_turned_around(candidates, caption, negative):
    assert candidates("flip-relation", caption) == [negative]


@pytest.mark.parametrize(
    "caption",
    [
        "A bag left on the table",
        "A man on the phone",
        "a man behind the wheel",
        "a man looking over a fence",
        "a car right next to a tree",
        "A plane on a sunny day",
        "a behind-the-scenes look",
        "a kitchen with a sink in it",
        "a man behind a glass",  # the viewpoint decides
        "a man in the foreground and a dog in the background",
        "a dog walking up a hill",  # a photograph does not show which way
        "a plate with food on it",
        "a man lying on the ground",
    ],
)
def test_what_is_no_relation_is_left_alone(candidates, caption):
    assert candidates("flip-relation", caption) == []


def test_no_side_is_said_of_two_things(candidates):
    assert candidates("flip-relation", "A dog on the left, and a cat on the right.") == []
