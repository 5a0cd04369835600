"""Units of captions and their foils, and words."""

import pytest

from hnclip_cli.negatives.making import make_negatives


def made(caption, **fields):
    return next(iter(make_negatives([{"caption": caption} | fields], units=True)))


@pytest.fixture(scope="module")
def scene():
    return made("A red square is to the left of a blue circle.")


def test_relations_come_first_then_things_each_with_foils(scene):
    units = {(unit["kind"], unit["text"]) for unit in scene["units"]}
    assert units == {
        ("relation", "A red square is to the left of a blue circle"),
        ("entity", "A red square"),
        ("entity", "a blue circle"),
    }
    kinds = [unit["kind"] for unit in scene["units"]]
    assert kinds == sorted(kinds, reverse=True)
    foils = {unit["foil"] for unit in scene["units"]}
    assert "A red square is to the right of a blue circle" in foils
    assert "a red circle" in foils  # the other thing's color


def test_a_relation_passes_over_what_describes_its_subject():
    units = made("A man in a black hat rides a brown horse.")["units"]
    relations = {unit["text"] for unit in units if unit["kind"] == "relation"}
    assert relations == {"A man in a black hat", "A man rides a brown horse"}


def test_what_is_denied_is_no_unit_and_foils_are_no_other_caption_s_words():
    units = made("A street with no cars and a tall building.")["units"]
    assert not any("cars" in unit["text"] for unit in units)
    caption, true = "A dog on a red mat.", "a dog on a blue mat"
    foils = [unit.get("foil") for unit in made(caption, captions=[caption, true])["units"]]
    assert "a blue mat" not in foils and any(foils)


def test_words_have_their_classes_and_other_languages_have_none(scene):
    words = [(scene["caption"][start:end], name) for start, end, name in scene["words"]]
    assert ("square", "noun") in words and ("blue", "adjective") in words
    assert not {"is", "the", "A"} & {word for word, _ in words}
    foreign = made("ein Hund auf der Wiese mit einem Ball")
    assert foreign["units"] == foreign["words"] == []


def test_without_the_option_nothing_is_added():
    record = next(iter(make_negatives([{"caption": "A red square."}])))
    assert "units" not in record and "words" not in record
