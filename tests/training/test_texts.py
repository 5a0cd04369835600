"""Further texts: from records to the slots of a batch."""

import pytest
import torch

from hnclip_cli.errors import InputError
from hnclip_cli.models.load import load_clip
from hnclip_cli.training.batches import collate, make_sample
from hnclip_cli.training.config import NumSlots
from hnclip_cli.training.texts import SOURCES, draw_texts, num_slots
from tests.conftest import to_lines
from tests.factories import make_records, with_further_texts
from tests.training.test_store import store_of

SLOTS = NumSlots(sources=tuple(SOURCES))


@pytest.fixture
def records(tmp_path):
    return with_further_texts(make_records(tmp_path, 4))


def test_only_what_an_objective_reads_is_kept_and_counts_for_the_digest(tmp_path, records):
    plain = store_of(to_lines(*make_records(tmp_path, 4)), tmp_path)
    unread = store_of(to_lines(*records), tmp_path)
    read = store_of(to_lines(*records), tmp_path, sources=SOURCES)
    assert plain.digest == unread.digest != read.digest
    assert not unread.num_with and dict(read.num_with) == dict.fromkeys(SOURCES, 3)


def test_slots_are_filled_as_the_chooser_says_and_stay_empty_without_texts(tmp_path, records):
    store = store_of(to_lines(*records), tmp_path, sources=SOURCES)

    def drawn(index, chooser):
        return draw_texts(store[index], SOURCES, chooser, store[1])

    assert drawn(0, "a") == drawn(0, "a")
    assert len({str(drawn(0, str(seed))) for seed in range(20)}) > 1
    assert all(0 < len(drawn(0, "a")[name]) <= count for name, count in num_slots(SOURCES).items())
    assert drawn(3, "a") == {name: [] for name in num_slots(SOURCES)}


def test_a_half_truth_is_a_true_part_with_a_foil_beside_it_or_after_it():
    units = [
        {"text": "a cat", "kind": "entity", "foil": "a dog"},
        {"text": "a red sofa", "kind": "entity", "foil": "a blue sofa"},
        {"text": "a cat on a red sofa", "kind": "relation", "foil": "a cat under a red sofa"},
    ]
    record = {"texts": {"halves": units}}
    drawn = [draw_texts(record, ["halves"], str(seed)) for seed in range(40)]
    found = {(part, half) for texts in drawn for part, half in zip(*texts.values(), strict=True)}
    assert found == {
        ("a cat", "a cat and a blue sofa"),
        ("a cat", "a cat under a red sofa"),
        ("a red sofa", "a red sofa and a dog"),
    }
    alone = {"texts": {"halves": units[:1]}}
    assert draw_texts(alone, ["halves"], "a") == {"parts": [], "halves": []}


def test_a_batch_lists_the_texts_of_filled_slots_and_equal_ones_have_one_key(
    tiny_run, tmp_path, records
):
    records[1]["captions"] = records[0]["captions"]
    store, clip = store_of(to_lines(*records), tmp_path, sources=SOURCES), load_clip(tiny_run)
    samples = [make_sample(store, index, 0, clip, SLOTS, 0) for index in range(4)]
    batch = collate(samples, SLOTS, clip)
    for name, count in num_slots(SOURCES).items():
        texts = batch.further[name]
        rows = [sample.further[name] for sample in samples]
        assert texts.mask.sum(dim=1).tolist() == list(map(len, rows))
        assert texts.mask.shape == texts.keys.shape == (4, count)
        flat = [text for row in rows for text in row]
        assert torch.equal(texts.tokens, clip.tokenize(flat))
        keys = dict(zip(flat, texts.keys[texts.mask].tolist(), strict=True))
        assert len(set(keys.values())) == len(keys)
        assert not texts.keys[~texts.mask].any()


def test_a_bad_field_is_refused_by_its_line(tmp_path, records):
    records[1]["captions"] = "two dogs"
    with pytest.raises(InputError, match=r'x\.jsonl:2: field "captions" has the wrong type'):
        store_of(to_lines(*records), tmp_path, sources=SOURCES)
