import pytest


def test_numbers_change_within_three_and_never_to_one(candidates):
    assert candidates("replace-number", "Two dogs run") == [
        "Three dogs run", "Four dogs run", "Five dogs run", "Several dogs run",
    ]  # fmt: skip
    assert candidates("replace-number", "9 red cups") == [
        "6 red cups", "7 red cups", "8 red cups", "10 red cups",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "caption", ["a two story house", "two-way traffic", "a bus at 5 o'clock", "two feet of snow"]
)
def test_a_number_that_counts_no_things_is_left_alone(candidates, caption):
    assert candidates("replace-number", caption) == []


def test_many_become_two_and_a_couple_becomes_several(candidates):
    assert candidates("replace-number", "A large group of people on skis") == ["Two people on skis"]
    assert candidates("replace-number", "several cows in a field") == ["two cows in a field"]
    assert candidates("replace-number", "A couple of dogs run") == ["Several dogs run"]


@pytest.mark.parametrize(
    "caption", ["A group of people is here", "a lot of snow", "a bunch of stuff", "a group of"]
)
def test_what_agrees_with_one_or_is_not_counted_is_left_alone(candidates, caption):
    assert candidates("replace-number", caption) == []
