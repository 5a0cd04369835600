import pytest


@pytest.mark.parametrize(
    ("caption", "negative"),
    [
        ("A dog on a sofa", "A dog not on a sofa"),
        ("A man riding a horse.", "A man not riding a horse."),
        ("There is a cat in the sink", "There is no cat in the sink"),
        ("There are people here", "There are no people here"),
        ("A man with a hat", "A man without a hat"),
        ("A man is riding a horse", "A man is not riding a horse"),
        ("There are many cars on a road", "There are no cars on a road"),
        ("There are two dogs", "There are no dogs"),
        ("There are lots of people", "There are no people"),
        ("MAN RIDING A HORSE", "MAN NOT RIDING A HORSE"),
        ("Cute Dog Wearing A Hat", "Cute Dog Not Wearing A Hat"),
    ],
)
def test_a_caption_is_denied(candidates, caption, negative):
    assert negative in candidates("negate", caption)


@pytest.mark.parametrize(
    "caption",
    [
        *("A room with no people", "A dog", "a man-eating tiger", ""),
        *(
            "A hill covered with a cloth",
            "A queue at a bus stop",
            "There is the dog",
            "Where is it?",
        ),
        *("A street with few cars on a hill", "A dog in a hat rather than a cap"),
    ],
)
def test_what_is_denied_already_or_claims_nothing_is_left_alone(candidates, caption):
    assert candidates("negate", caption) == []


def test_an_attribute_is_added_that_the_thing_never_has(candidates):
    assert "A pink truck near a tree" in candidates("add-attribute", "A truck near a tree")
    assert candidates("add-attribute", "Old Sofa And A Truck") == [
        "Old Sofa And A Pink Truck", "Old Sofa And A Purple Truck",
    ]  # fmt: skip
    assert candidates("add-attribute", "A cat") == []
    assert candidates("add-attribute", "A red bus") == []
    assert candidates("add-attribute", "A man") == []
    assert candidates("add-attribute", "Two brown bears") == []


@pytest.mark.parametrize("thing", ["a cake", "a bed", "a bottle"])
def test_what_may_have_any_color_is_given_none(candidates, thing):
    assert candidates("add-attribute", f"Look at {thing}") == []


def test_a_thing_is_added_that_the_caption_does_not_name(candidates):
    made = candidates("add-object", "A man next to a horse.")
    assert "A man next to a horse and an elephant." in made
    assert candidates("add-object", "A man") == []
    assert not any("cow and a cow" in text for text in candidates("add-object", "A dog near a cow"))


def test_what_is_in_a_place_is_near_the_added_thing(candidates):
    assert "Cars on a street near an elephant." in candidates("add-object", "Cars on a street.")
    assert "A man reads a magazine near a cow" in candidates("add-object", "A man reads a magazine")
    assert "A MAN ON A BUS NEAR A KITE" in candidates("add-object", "A MAN ON A BUS")
