import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.language.caption import TEXT, Caption
from hnclip_cli.negatives.kinds import shuffles
from hnclip_cli.negatives.kinds.registry import KINDS
from hnclip_cli.streams.edits import apply_edits
from hnclip_cli.streams.records import Record
from tests.conftest import environment, parse_lines
from tests.negatives.makers import by_rules

CAPTION = "one two three four five six seven."


def orders(function, text):
    return [apply_edits(text, edits) for edits in function(Caption(text, []))]


@pytest.mark.parametrize(
    "function",
    [
        shuffles.shuffle_words,
        shuffles.shuffle_bigrams,
        shuffles.shuffle_trigrams,
        shuffles.shuffle_within_trigrams,
    ],
)
def test_words_stay_and_their_order_changes(function):
    made = orders(function, CAPTION)
    assert made
    for text in made:
        assert text != CAPTION and text.endswith(".")
        assert sorted(text[:-1].split()) == sorted(CAPTION[:-1].split())
    assert made == orders(function, CAPTION)


def test_blocks_stay_together():
    for text in orders(shuffles.shuffle_bigrams, CAPTION):
        assert "one two" in text and "three four" in text and "five six" in text
    for text in orders(shuffles.shuffle_trigrams, CAPTION):
        assert "one two three" in text and "four five six" in text
    for text in orders(shuffles.shuffle_within_trigrams, CAPTION):
        assert sorted(text.split()[:3]) == ["one", "three", "two"]


def test_what_has_one_order_gives_nothing():
    for text in ["", "one", "...", "no no no"]:
        assert orders(shuffles.shuffle_words, text) == []


def test_nouns_and_adjectives_change_places_among_themselves(candidates):
    for text in candidates("shuffle-nouns-and-adjectives", "A red car behind the old house"):
        words = text.split()
        assert words[0] == "A" and words[3:5] == ["behind", "the"]
    for text in candidates("shuffle-other-words", "A red car behind the old house"):
        words = text.split()
        assert [words[1], words[2], words[5], words[6]] == ["red", "car", "old", "house"]


def test_marks_stay_in_place_and_numbers_keep_their_points():
    text = 'At 10:30 a "half-eaten" cake, isn\'t 3.5 cm.'
    pieces = ["At", "10:30", "a", "half-eaten", "cake", "isn't", "3.5", "cm"]
    assert [piece for *_, piece in shuffles._pieces(Caption(text, []))] == pieces


@pytest.mark.parametrize("kind", [name for name in KINDS if name.startswith("shuffle")])
def test_no_order_glues_two_words(candidates, kind):
    text = "A pitcher, batter and catcher (all red-haired) don't run."
    words = {"A", "pitcher", "batter", "and", "catcher", "all", "red-haired", "don't", "run"}
    made = candidates(kind, text)
    assert made
    for order in made:
        assert {word.strip(",().") for word in order.split()} == words
        assert sorted(order) == sorted(text)


def test_letters_keep_their_accents():
    text = "एक बिल्ली मेज़ पर 👩‍🚀"
    for made in orders(shuffles.shuffle_words, text):
        assert sorted(made.split()) == sorted(text.split())


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_shuffled_or_left_alone(text):
    for made in orders(shuffles.shuffle_words, text):
        assert sorted(made.replace(" ", "")) == sorted(text.replace(" ", ""))


def test_what_is_no_caption_is_left_alone():
    assert orders(shuffles.shuffle_words, "a \ud800 cat") == []
    assert orders(shuffles.shuffle_words, "a cat " * 1000) == []


def test_the_seed_the_id_and_the_kind_decide():
    def made(kind, name, seed):
        return by_rules(kind, seed=seed).negatives([Record({"caption": CAPTION, "id": name})])

    kinds = ["shuffle-words", "shuffle-bigrams"]
    for kind in kinds:
        texts = [made(kind, name, seed)[0][0]["caption"] for name in "abc" for seed in range(5)]
        assert len(set(texts)) > 8
        assert made(kind, "a", 0) == made(kind, "a", 0)


def test_orders_are_not_judged_by_how_they_read():
    class Strict:
        """Nothing reads well enough."""

        max_loss = -1.0

        def losses(self, caption, candidates):
            return pytest.fail("judged") if candidates else []

    maker = by_rules("shuffle-words", preference=Strict())
    assert len(maker.negatives([Record({"caption": CAPTION})])[0]) == 1


def test_orders_of_ngrams_need_no_spacy(parser):
    names = {
        "shuffle-words", "shuffle-bigrams", "shuffle-trigrams", "shuffle-within-trigrams",
    }  # fmt: skip
    assert {name for name, kind in KINDS.items() if kind.level == TEXT} == names
    command = [sys.executable, "-X", "importtime", "-m", "hnclip_cli", "negatives"]
    command += [word for name in sorted(names) for word in ("--kind", name)]
    done = subprocess.run(
        command, input=b'{"id":"1","caption":"a cat on a bed"}\n', capture_output=True,
        check=True, env=environment(),
    )  # fmt: skip
    assert b"spacy" not in done.stderr and b"orjson" in done.stderr
    beside = by_rules("replace-noun", *sorted(names))
    made = beside.negatives([Record({"id": "1", "caption": "a cat on a bed"})])[0]
    kept = [negative for negative in made if negative["kind"] in names]
    assert kept == parse_lines(done.stdout)[0]["negatives"]
