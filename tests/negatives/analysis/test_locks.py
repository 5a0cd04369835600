"""What no kind changes: what is denied, fixed names, proper names."""

import pytest

from hnclip_cli.negatives.analysis.locks import locks
from hnclip_cli.negatives.kinds.registry import KINDS


@pytest.fixture
def all_candidates(candidates):
    """What all kinds but orders of words make of a caption."""

    def made(caption):
        kinds = [name for name, kind in KINDS.items() if kind.change != "order"]
        return [text for kind in kinds for text in candidates(kind, caption)]

    return made


@pytest.mark.parametrize(
    ("caption", "kept"),
    [
        ("There are no cars on the street.", "There are no cars on the street."),
        ("A wide street without cars", "without cars"),
        ("A man with no red hat holds a dog", "no red hat"),
        ("A man is holding a dog and not wearing a red hat", "not wearing a red hat"),
        ("A dog sits on a bench instead of a red chair", "instead of a red chair"),
        ("A woman beside a small table free of two cups", "free of two cups"),
        ("A man holds a corn dog", "a corn dog"),
        ("A boy looks at a tabby cat", "tabby cat"),
        ("A man swings a bat near home plate", "home plate"),
        ("A woman plays in a dimly lit room", "dimly lit"),
        ("A baby in a high chair", "high chair"),
        ("A dog at golden hour on a beach", "golden hour"),
        ("A two year old girl with a dog", "year old"),
        ("Two sea lions behind a boat", "sea lions"),
        ("A bird's eye view of a boat", "bird's eye view"),
        ("A man beside a Boeing 747 airplane", "Boeing 747"),
        ("A black iPhone 12 on a table", "iPhone 12"),
        ("A dog or a cat on a red sofa", "A dog or a cat"),
        ('A woman holds a sign that says "two black dogs"', '"two black dogs"'),
        ("Nike Air Max 90 Running Shoes Red", "Nike Air Max 90"),
    ],
)
def test_what_is_locked_stays(all_candidates, caption, kept):
    assert all(kept in text for text in all_candidates(caption))


@pytest.mark.parametrize(
    ("caption", "kind", "negative"),
    [
        ("A street without cars", "replace-subject", "A beach without cars"),
        ("A man with no hat rides", "replace-subject", "A woman with no hat rides"),
        ("A dog and a corn dog", "replace-noun", "A cat and a corn dog"),
        ("A hot dog on a plate", "replace-noun", "A pizza on a plate"),
        ("A tabby cat on a chair", "negate", "A tabby cat not on a chair"),
        ("A man next to a tug boat.", "add-object", "A man next to a tug boat near an elephant."),
    ],
)
def test_what_stands_beside_it_changes(candidates, caption, kind, negative):
    assert negative in candidates(kind, caption)


def test_orders_of_words_do_not_ask_for_names(candidates):
    made = candidates("shuffle-words", "A man eats a corn dog")
    assert any("corn dog" not in text for text in made)


def test_a_whole_name_may_move_or_go(parser):
    (caption,) = parser.parse(["A corn dog beside a Boeing 747"])
    found = locks(caption)
    assert found and caption.text[2:10] == "corn dog" and caption.text[20:30] == "Boeing 747"
    assert not found.held([(2, 10, "pizza")])
    assert not found.held([(2, 10, "Boeing 747"), (20, 30, "corn dog")])
    assert not found.held([(2, 10, "purple corn dog")])
    assert found.held([(2, 6, "hot")])
    assert found.held([(20, 30, "airplane")])
    assert found.held([(20, 26, "Airbus")])
