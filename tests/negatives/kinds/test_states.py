import pytest


@pytest.mark.parametrize(
    ("caption", "negative"),
    [
        ("An open suitcase on a bed", "A closed suitcase on a bed"),
        ("A wet street", "A dry street"),
        ("A house on a snowy hill", "A house on a grassy hill"),
        ("an empty plate", "a full plate"),
        ("A dirty kitchen", "A clean kitchen"),
        ("An old truck", "A new truck"),
        ("A young man", "An old man"),
        ("A very young man", "A very old man"),
        ("A female tennis player", "A male tennis player"),
        ("a cloudy sky", "a clear sky"),
    ],
)
def test_a_state_turns_to_its_opposite(candidates, caption, negative):
    assert negative in candidates("replace-state", caption)


@pytest.mark.parametrize(
    "caption",
    [
        *("a skier on a snowy hill", "a lush green field", "well cooked meat"),
        *("a young boy", "open-air market", "old"),
        *(
            "an electric car",
            "stuffed mushrooms",
            "fresh flowers",
            "a high speed chase",
            "wild rice",
        ),
    ],
)
def test_a_state_that_has_no_clear_opposite_is_left_alone(candidates, caption):
    assert candidates("replace-state", caption) == []


def test_another_material_that_the_thing_can_be_of(candidates):
    assert candidates("replace-material", "A wooden bench") == ["A metal bench", "A plastic bench"]
    assert "a wooden house" in candidates("replace-material", "a brick house")
    assert candidates("replace-material", "stainless steel bowl") == []
    assert candidates("replace-material", "a wooden table and a metal box and plastic") == []


def test_what_is_brand_new_is_not_brand_old(candidates):
    assert candidates("replace-state", "A brand new motorcycle") == []


def test_where_there_is_not_a_single_car_no_lot_is_busy(candidates):
    assert candidates("replace-state", "An empty street with not a single car") == []
