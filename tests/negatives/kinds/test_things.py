import pytest


def test_an_object_is_replaced_by_another_with_its_article(candidates):
    made = candidates("replace-noun", "A monkey holds a suitcase.")
    assert "A cat holds a suitcase." in made
    assert "A monkey holds an umbrella." in made


def test_number_and_case_are_kept(candidates):
    assert "Dogs on a hill." in candidates("replace-noun", "Cats on a hill.")
    assert candidates("replace-noun", "MEN WITH HATS")[0] == "WOMEN WITH HATS"
    assert "Two birds" in candidates("replace-noun", "Two squirrels")


def test_rare_things_are_replaced_but_replace_nothing(candidates):
    assert "A dog eats" in candidates("replace-noun", "A squirrel eats")
    assert not any("squirrel" in text for text in candidates("replace-noun", "A dog eats"))


def test_the_first_thing_is_replaced_as_the_subject(candidates):
    made = candidates("replace-subject", "A cat next to a pizza")
    assert "A dog next to a pizza" in made
    assert all(text.endswith(" next to a pizza") for text in made)
    assert candidates("replace-subject", "Looking at a cat") == []
    assert candidates("replace-subject", "Hello") == []


def test_the_object_is_what_something_is_done_to(candidates):
    made = candidates("replace-object", "A man holds an umbrella near a dog")
    assert "A man holds a suitcase near a dog" in made
    assert all(text.startswith("A man holds ") and text.endswith(" near a dog") for text in made)
    assert candidates("replace-object", "A man next to a dog") == []


def test_what_another_may_be_stays(candidates):
    assert candidates("replace-noun", "A dog next to another dog") == []
    made = candidates("replace-noun", "A man with a kite next to another man")
    assert made and all(text.startswith("A man with a") for text in made)


def test_who_has_a_trade_is_renamed_as_a_whole(candidates):
    assert "A dog on a ladder" in candidates("replace-subject", "A construction worker on a ladder")


def test_a_thing_keeps_only_colors_that_it_may_have(candidates):
    made = candidates("replace-noun", "A man near a purple car")
    assert "A man near a purple horse" not in made


def test_people_and_animals_stand_for_each_other_where_they_only_rest(candidates):
    assert "A dog standing in a field" in candidates(
        "replace-subject", "A person standing in a field"
    )
    assert candidates("replace-subject", "People riding a horse") == []


def test_sports_are_exchanged_where_they_are_played(candidates):
    assert candidates("replace-noun", "A tennis player jumps") == [
        "A dog jumps", "A baseball player jumps", "A soccer player jumps",
    ]  # fmt: skip
    assert "People playing soccer" in candidates("replace-noun", "People playing tennis")
    assert candidates("replace-noun", "playing tennis and soccer") == []


def test_what_the_caption_names_already_does_not_replace(candidates):
    made = candidates("replace-noun", "A cat chases a puppy.")
    assert "A dog chases a puppy." not in made
    assert "A bird chases a puppy." in made


def test_pronouns_follow_a_man_or_woman(candidates):
    made = candidates("replace-noun", "A woman hides her face from him as she runs.")
    assert "A man hides his face from him as he runs." in made
    assert all(("his face" in text) == (" he " in text) for text in made)
    assert candidates("replace-noun", "A woman and a friend hold her") == []


@pytest.mark.parametrize(
    "caption",
    [
        "a dog house",
        "a key lime pie",
        "People holding an object",
        "a heart shaped thing",
        "a bird-like thing",
        "Big Ben is tall",
    ],
)
def test_an_unsafe_noun_is_left_alone(candidates, caption):
    assert candidates("replace-noun", caption) == []


def test_colors_are_replaced_by_clearly_different_ones(candidates):
    made = candidates("replace-color", "A red car.")
    assert made == [
        "A yellow car.", "A green car.", "A blue car.", "A black car.", "A white car.",
        "A gray car.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "caption",
    ["a black and white photo", "orange juice", "a white man", "a red-haired cat", "Red Sox fans",
     "an orange", "green beans"],
)  # fmt: skip
def test_what_is_no_color_of_a_thing_is_left_alone(candidates, caption):
    assert candidates("replace-color", caption) == []


def test_orange_counts_as_a_color_before_a_noun(candidates):
    assert "a heart below a green cross" in candidates(
        "replace-color", "a heart below an orange cross"
    )


def test_sizes_turn_to_their_opposites(candidates):
    assert candidates("replace-size", "A tiny dog by a tall tower") == [
        "A huge dog by a tall tower",
        "A tiny dog by a short tower",
    ]
    assert candidates("replace-size", "A little girl") == []
    assert candidates("replace-size", "Big Ben") == []


def test_a_thing_that_is_taken_up_again_is_left_alone(candidates):
    caption = "A small red ring above a blue star, and a cross left of the red ring"
    assert all("small red ring" in text for text in candidates("replace-noun", caption))
    assert all("the red ring" in text for text in candidates("replace-color", caption))
    assert candidates("replace-size", caption) == []
    assert candidates("swap-adjective", caption) == []


def test_a_shade_goes_with_its_color(candidates):
    made = candidates("replace-color", "A lime green room and navy blue walls")
    assert "A white room and navy blue walls" in made
    assert "A lime green room and red walls" in made
    assert not any("lime white" in text or "navy red" in text for text in made)


def test_what_holds_something_is_replaced_by_what_can_hold_it(candidates):
    made = candidates("replace-noun", "A bowl of carrots")
    assert "A cup of carrots" in made and "An umbrella of carrots" not in made
    assert candidates("replace-noun", "A statue of it") == []
    assert candidates("replace-noun", "A square of it") == []


@pytest.mark.parametrize(
    ("caption", "kept"),
    [
        ("A 12 year old girl at a table", "girl"),  # no man
        ("A man playing the piano in a room", "piano"),
        ("A man pretending to play a guitar", "guitar"),
        ("A wall mounted bottle opener", "wall"),
        ("Trees reflected in a mirror", "mirror"),
        ("A man after one beer", "beer"),
        ("A cat in a hat! #catlife", "cat"),
    ],
)
def test_what_only_few_may_stand_for(candidates, caption, kept):
    made = candidates("replace-noun", caption)
    others = {"boy", "child", "kid"}
    assert all(kept in text or others & set(text.split()) for text in made)


def test_who_owns_something_is_no_thing(candidates):
    made = candidates("replace-noun", "A woman's hat near a house")
    assert "A man's hat near a house" in made and not any("truck's" in text for text in made)
    assert not any("s's" in text for text in candidates("replace-noun", "Men's hats near a house"))


def test_a_vehicle_may_be_a_bus(candidates):
    assert not any("bus" in text for text in candidates("replace-noun", "A man near a vehicle"))


def test_who_has_wings_is_no_bear(candidates):
    made = candidates("replace-noun", "An owl on a rock spreading its wings")
    assert not any(text.startswith("A bear") for text in made)


def test_what_lacks_something_becomes_its_like(candidates):
    made = candidates("replace-noun", "A cake without candles")
    assert made and not any(text.startswith(("A man", "A dog")) for text in made)


def test_another_hand_is_no_twin(candidates):
    assert "A woman with a bag in her other hand" in candidates(
        "replace-subject", "A man with a bag in his other hand"
    )
    assert "A cat and two others" in candidates("replace-subject", "A dog and two others")
    made = candidates("replace-noun", "A dog near the other dogs")
    assert not any(text.startswith("A cat") for text in made)


@pytest.mark.parametrize(
    ("kin", "refused"), [("mother", "girl"), ("bride", "girl"), ("dad", "boy")]
)
def test_who_is_a_relative_becomes_none_that_it_may_be_too(candidates, kin, refused):
    made = candidates("replace-subject", f"A {kin} near a house")
    assert made and f"A {refused} near a house" not in made


def test_what_a_slice_is_of_needs_no_article(candidates):
    assert "A slice of cake on a plate" in candidates("replace-noun", "A slice of pizza on a plate")
    assert "A smell of cake in a room" not in candidates(
        "replace-noun", "A smell of pizza in a room"
    )


def test_an_adverb_may_stand_behind_the_article(candidates):
    assert "A very clean bathroom" in candidates("replace-subject", "A very clean kitchen")


def test_who_has_a_beard_is_no_woman(candidates):
    assert "A woman near a car" in candidates("replace-subject", "A man near a car")
    for caption in (
        "A bearded man near a car",
        "A shirtless man near a car",
        "A woman in a bikini",
    ):
        made = candidates("replace-subject", caption)
        assert not any(text.startswith(("A woman", "A man")) for text in made)


def test_a_sport_becomes_one_that_suits_what_is_done(candidates):
    made = candidates("replace-noun", "A tennis player swinging at the ball")
    assert "A baseball player swinging at the ball" in made
    assert "A soccer player swinging at the ball" not in made
    made = candidates("replace-noun", "A soccer player and a soccer ball")
    assert not any(text.startswith("A baseball") for text in made)


def test_several_animals_may_be_said_as_one(candidates):
    assert "Two elephants near a tree" in candidates("replace-noun", "Two giraffe near a tree")
    assert "A herd of cows" in candidates("replace-noun", "A herd of zebra")
    assert "One zebra near a tree" in candidates("replace-number", "Two zebra near a tree")


def test_a_sign_that_reads_is_nobody(candidates):
    made = candidates("replace-subject", 'A sign reads "Stop" next to a tree')
    assert not any(text.startswith(("A girl", "A man", "A woman")) for text in made)


def test_who_is_named_by_kin_stays(candidates):
    assert candidates("replace-subject", "Mom near a house") == []
    assert candidates("replace-subject", "A mom near a house")


def test_what_is_called_it_becomes_no_person(candidates):
    made = candidates("replace-subject", "A horse with its foal near a house")
    assert made and not any(text.startswith(("A man", "A woman")) for text in made)


def test_no_person_stands_for_a_thing(candidates):
    made = candidates("replace-noun", "A pizza placed on a table")
    assert made and not {"A man placed on a table", "A girl placed on a table"} & set(made)
