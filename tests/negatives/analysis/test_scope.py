import pytest

from hnclip_cli.negatives.analysis.scope import denied


@pytest.mark.parametrize(
    ("caption", "scope"),
    [
        # a clause
        ("There are no cars on the street.", "There are no cars on the street"),
        ("On the table there is no food", "On the table there is no food"),
        ("There aren't any people on the beach", "There aren't any people on the beach"),
        ("A street where there are no cars", "there are no cars"),
        ("A road has no cars on it and is wet.", "no cars on it"),
        ("A man not wearing a hat", "not wearing a hat"),
        ("A man is not wearing a hat while riding a horse", "not wearing a hat"),
        ("The bench isn't occupied and a dog sleeps on it.", "isn't occupied"),
        ("A man that is not wearing a shirt sits on a bench.", "not wearing a shirt"),
        ("A man not wearing a hat and a woman is on a bench", "not wearing a hat"),
        ("A man is not wearing a hat or a coat", "not wearing a hat or a coat"),
        ("A man never rides the horse in the field.", "never rides the horse in the field"),
        ("The train does not stop at the station; a bus waits", "not stop at the station"),
        ("The dogs cannot swim in the lake", "not swim in the lake"),
        # a clause with the verb that follows
        ("Nobody is on the beach", "Nobody is on the beach"),
        ("No dogs are on the grass but a cat sits there.", "No dogs are on the grass"),
        ("None of the people are sitting on chairs.", "None of the people are sitting on chairs"),
        ("Neither the cat nor the dog is asleep.", "Neither the cat nor the dog is asleep"),
        ("Nothing is on the table except a cup", "Nothing is on the table"),
        ("There are no people who are sitting", "There are no people who are sitting"),
        # what something is said of
        ("A cup sits there, but a table is noticeably absent.", "a table is noticeably absent"),
        (
            "The spoon is missing from the bowl while a fork lies there",
            "The spoon is missing from the bowl",
        ),
        (
            "A bowl is here but the spoons are nowhere to be seen",
            "the spoons are nowhere to be seen",
        ),
        ("The table is missing a leg.", "missing a leg"),
        # a noun phrase
        ("A street without cars", "without cars"),
        ("A street without people walking dogs", "without people walking dogs"),
        ("A man without a shirt riding a skateboard", "without a shirt"),
        ("A man without a hat on a horse", "without a hat"),
        ("A man with no hat is standing on a beach.", "no hat"),
        ("A street with no cars and a tall building", "no cars"),
        ("A street with no cars and people", "no cars and people"),
        ("A room with no windows, pictures or doors and a bed", "no windows, pictures or doors"),
        ("A room with no windows, a bed and a chair", "no windows"),
        ("A kitchen with neither a stove nor a sink", "neither a stove nor a sink"),
        ("A plate with nothing on it next to a cup", "nothing on it next to a cup"),
        ("A road free of snow and a big truck", "free of snow"),
        ("A street empty of people, with a red car", "empty of people"),
        ("A room with a lack of furniture", "lack of furniture"),
        ("A woman holds a banana instead of a phone.", "instead of a phone"),
        ("A teddy bear missing an eye", "missing an eye"),
        ("A beach with few people and a big dog", "few people"),
        ("There are hardly any people on the beach", "There are hardly any people on the beach"),
    ],
)
def test_a_scope_ends_with_its_phrase_or_clause(parser, caption, scope):
    (parsed,) = parser.parse([caption])
    assert [caption[start:end] for start, end in denied(parsed)] == [scope]


def test_a_caption_may_deny_twice_or_never(parser):
    texts = ["A street with no cars, and a man not wearing a hat", "A street with a note"]
    two, none = parser.parse(texts)
    assert [two.text[start:end] for start, end in denied(two)] == ["no cars", "not wearing a hat"]
    assert denied(none) == []
