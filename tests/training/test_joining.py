"""Two images side by side, and captions of both."""

import random

import pytest
import torch

from hnclip_cli.errors import InputError
from hnclip_cli.models.load import load_clip
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record
from hnclip_cli.training import joining
from hnclip_cli.training.batches import join_images
from hnclip_cli.training.config import TrainConfig
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.feed import Batches
from tests.conftest import to_lines
from tests.factories import make_records, with_further_texts
from tests.training.test_store import store_of

ONE = {"caption": "A red car. It is fast.", "words": [[2, 5, "adjective"], [6, 9, "noun"]]}
OTHER = {"caption": "a dog runs", "captions": ["a pet"], "words": [[2, 5, "noun"]]}


def draw(one, other, seed):
    return joining.draw(joining.read(Record(one)), random.Random(seed), joining.read(Record(other)))


def test_a_word_of_one_class_is_exchanged_and_sentences_stand_in_both_orders():
    drawn = [draw(ONE, OTHER, seed) for seed in range(20)]
    assert all(
        one["views"][:2] == ["A red car. a dog runs.", "a dog runs. A red car."] for one in drawn
    )
    assert {text for one in drawn for text in one["views"][2:]} == {
        "It is fast. a pet.", "a pet. It is fast.",
    }  # fmt: skip
    assert {text for one in drawn for text in one["crossed"]} == {
        "A red dog. a car runs.", "a car runs. A red dog.",
    }  # fmt: skip


def test_without_a_common_class_any_words_are_exchanged_and_equal_sentences_have_no_false_one():
    other = OTHER | {"words": []}
    assert all(draw(ONE, other, seed)["crossed"] for seed in range(5))
    assert draw(ONE, ONE, 0)["crossed"] == []
    assert joining.read(Record({"caption": "a dog"})) == {}


@pytest.mark.parametrize("word", [[0, 99, "noun"], [1, 0, "noun"], [0, 1], "dog"])
def test_words_that_are_not_of_the_caption_are_refused(word):
    with pytest.raises(InputError, match="a word is none of the caption"):
        joining.read(Record(OTHER | {"words": [word]}))


def test_images_are_squeezed_to_halves_in_floats_and_in_bytes():
    red, blue = torch.zeros(3, 4, 6), torch.ones(3, 4, 6)
    joined = join_images(red, blue, is_left=False)
    assert torch.equal(joined[..., :3], blue[..., :3]) and not joined[..., 3:].any()
    white = torch.full((4, 6, 3), 255, dtype=torch.uint8)
    joined = join_images(white, torch.zeros_like(white), is_left=True)
    assert joined.dtype == torch.uint8 and joined.shape == (4, 6, 3)
    assert joined[:, :3].eq(255).all() and not joined[:, 3:].any()


def test_every_second_batch_is_joined_wherever_a_run_begins_and_whoever_holds_a_row(
    tmp_path, tiny_run
):
    clip = load_clip(tiny_run, device="cpu")
    records = with_further_texts(make_records(tmp_path, 7))
    store = store_of(to_lines(*records[:6]), tmp_path, sources=("joined",))
    config = TrainConfig(objective="clic", steps=1, batch_size=3, workers=0)

    def drawn(start, count, ranks=Ranks()):
        with Batches(clip, store, config, ErrorPolicy(), ranks, start) as batches:
            return [batches.draw() for _ in range(count)]

    whole, later = drawn(0, 4), drawn(3, 1)[0]
    assert [sorted(batch.further) for batch in whole] == [[], ["crossed", "views"]] * 2
    parts = [drawn(3, 1, Ranks(rank, 2))[0] for rank in range(2)]
    assert torch.equal(later.pixels, whole[3].pixels)
    assert torch.equal(torch.cat([part.pixels for part in parts]), later.pixels)
    for name, texts in later.further.items():
        assert torch.equal(texts.tokens, whole[3].further[name].tokens)
        assert torch.equal(torch.cat([part.further[name].tokens for part in parts]), texts.tokens)
    assert later.further["views"].mask[:, :2].all()
