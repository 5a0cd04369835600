import pytest


def test_numbers_change_within_two(candidates):
    assert candidates("replace-number", "Two dogs sit") == [
        "Three dogs sit", "Four dogs sit", "One dog sits",
    ]  # fmt: skip
    assert candidates("replace-number", "9 red cups") == [
        "7 red cups", "8 red cups", "10 red cups", "one red cup",
    ]  # fmt: skip
    assert candidates("replace-number", "A man and his two cats") == [
        "A man and his three cats", "A man and his four cats",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "caption",
    [
        *("a two story house", "two-way traffic", "seen at 5 o'clock", "two feet of snow"),
        *("7 reasons for a walk", "a house with 3 bedrooms"),
    ],
)
def test_a_number_that_counts_no_things_is_left_alone(candidates, caption):
    assert candidates("replace-number", caption) == []


def test_many_become_two_and_a_couple_becomes_several(candidates):
    assert "Two people on snow" in candidates("replace-number", "A large group of people on snow")
    assert candidates("replace-number", "A couple of dogs run") == ["Several dogs run"]


@pytest.mark.parametrize(
    "caption",
    [
        *("A group of people is here", "a lot of snow", "a bunch of stuff", "a group of"),
        *("A pair of blue jeans on a chair", "A dog that is not on a leash chases a ball"),
    ],
)
def test_what_agrees_with_one_or_is_not_counted_is_left_alone(candidates, caption):
    assert candidates("replace-number", caption) == []


def test_several_may_be_two(candidates):
    for words in ("several", "multiple", "a number of"):
        assert candidates("replace-number", f"{words} cows near a field") == [
            "one cow near a field"
        ]


def test_several_become_one_where_nothing_else_tells_their_number(candidates):
    assert "One dog sitting on a bed" in candidates("replace-number", "Two dogs sitting on a bed")
    assert "One old cow stands in a field" in candidates(
        "replace-number", "Three old cows stand in a field"
    )
    for caption in (
        "Two men with their dogs",
        "Two men holding hats",
        "There are two dogs in a field",
        "Two dogs and a cat",
    ):
        made = candidates("replace-number", caption)
        assert not any(text.startswith(("One ", "There are one")) for text in made)


def test_one_becomes_several(candidates):
    """Not two: a second one may be in the background."""
    for caption, negative in (
        ("A dog is sitting on a bed", "Three dogs are sitting on a bed"),
        ("A tennis player hits the ball", "Three tennis players hit the ball"),
    ):
        assert candidates("replace-number", caption) == [negative]


@pytest.mark.parametrize(
    "caption", ["A man with a hat", "A man holding a bat", "A dog licks itself", "A cup of tea"]
)
def test_one_stays_one_where_more_is_said_of_it(candidates, caption):
    assert candidates("replace-number", caption) == []


def test_these_two_are_not_these_several(candidates):
    assert "One of these several cars" not in candidates("replace-number", "One of these two cars")


def test_a_number_that_is_told_elsewhere_stays(candidates):
    made = candidates("replace-number", "A group of five people")
    assert "two five people" not in " ".join(made)
    assert candidates("replace-number", "A pie chart with four slices: red, blue, green") == []


@pytest.mark.parametrize(
    "caption", ["You're a bird on a wire", "This is a stop sign", "Which of these two chairs"]
)
def test_what_agrees_with_a_word_before_it_keeps_its_number(candidates, caption):
    assert candidates("replace-number", caption) == []
