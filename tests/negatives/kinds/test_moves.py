"""What one thing is said to be, said of another."""

import pytest

from hnclip_cli.lexicon import load_lexicon
from hnclip_cli.negatives.choosing.plausibility import Plausible
from hnclip_cli.streams.records import Record
from tests.negatives.makers import by_rules


@pytest.mark.parametrize(
    ("caption", "negatives"),
    [
        ("A black cat on a couch", ["A cat on a black couch"]),
        ("Red car next to a bus", ["Car next to a red bus"]),
        ("An orange bus near an umbrella", ["A bus near an orange umbrella"]),
        ("A cat on a black couch", ["A black cat on a couch"]),
        ("A black cat on a white couch", []),  # swap-adjective
        ("A black and white cat on a couch", []),
        ("A man in a red shirt", []),  # a red man
        ("A green bus on the grass", []),  # it is green
        ("A blue car behind a cow", []),  # none is blue
        ("A red stop sign near a stop sign", []),
        ("A wooden bench near a fence", []),
    ],
)
def test_a_color_moves_to_a_thing_without_one(candidates, caption, negatives):
    assert candidates("move-attribute", caption) == negatives


def test_a_thing_gets_only_a_color_that_captions_give_it(parser):
    maker = by_rules("move-attribute", preference=Plausible(load_lexicon()))

    def made(caption):
        return [n["caption"] for n in maker.negatives([Record({"caption": caption})])[0]]

    assert made("A pink dress on a truck") == []
    assert made("A red dress on a boat") == []  # many are
    assert made("A green dress on a truck") == ["A dress on a green truck"]


def test_a_silhouette_has_the_color_of_what_it_is_of(candidates):
    assert candidates("move-attribute", "A black silhouette of a horse") == []
