import pytest

from hnclip_cli.negatives.analysis.doubts import doubted


@pytest.mark.parametrize(
    ("caption", "open_parts"),
    [
        ("A cake or a pie on a white plate", ["A cake or a pie"]),
        ("A bowl with apples, pears or plums on a table", ["apples, pears or plums"]),
        ("A man sitting on a bench or standing by a car.", ["sitting on a bench or standing"]),
        ("Coffee vs tea on a table", ["Coffee vs tea"]),
        ("A man holds a fish, possibly a trout. It rains.", ["a fish, possibly a trout"]),
        ("I think this is a kitchen, on the left there is a fridge", ["I think this is a kitchen"]),
        ("A man wearing a black, sorry, a blue shirt", ["a black, sorry"]),
        ("Two people, no no, three people near a car", ["Two people, no"]),
        ("A dog in a park. Is this a dog in a yard?", ["Is this a dog in a yard?"]),
        ("What is the dog doing on the couch?", []),
        ("A dog and a cat, no mouse", []),
        ("It used to be a church, now a bar", ["used to be a church"]),
    ],
)
def test_what_is_left_open_is_found(parser, caption, open_parts):
    (parsed,) = parser.parse([caption])
    assert [caption[start:end] for start, end in doubted(parsed)] == open_parts
