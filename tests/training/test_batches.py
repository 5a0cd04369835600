import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hnclip_cli.errors import InputError
from hnclip_cli.models.load import load_clip
from hnclip_cli.training.batches import batch_indices, collate, draw_slots, make_sample
from hnclip_cli.training.config import NumSlots
from tests.conftest import to_lines
from tests.factories import make_records
from tests.training.test_store import store_of


@pytest.fixture(scope="module")
def clip(tiny_run):
    return load_clip(tiny_run, device="cpu")


def test_a_crop_is_what_is_trained_on(tmp_path, clip):
    records = make_records(tmp_path, 2)
    image = Image.new("RGB", (64, 64), "red")
    image.paste("blue", (32, 0, 64, 64))
    for name in ("0.png", "1.png"):
        image.save(tmp_path / name)
    records[0]["crops"] = [[32, 0, 32, 64]]
    store = store_of(to_lines(*records), tmp_path)
    half, whole = (
        make_sample(store, index, 0, clip, NumSlots(1), seed=0).images[0] for index in (0, 1)
    )
    assert torch.allclose(half[:, :, :1], half[:, :, -1:])
    assert not torch.allclose(whole[:, :, :1], whole[:, :, -1:])
    records[1]["crops"] = [[0, 0]]
    with pytest.raises(InputError, match=r'x\.jsonl:2: field "crops" has a bad box'):
        store_of(to_lines(*records), tmp_path)


def test_images_of_one_flat_color_are_named(tmp_path, clip):
    records = make_records(tmp_path, 2)
    Image.new("RGB", (30, 20), "red").save(tmp_path / "flat.png")
    records[1]["negative_images"] = ["0.png", "flat.png"]
    store = store_of(to_lines(*records), tmp_path)
    samples = [make_sample(store, index, 0, clip, NumSlots(2, 2), 0) for index in range(2)]
    assert [sample.flat for sample in samples] == [[], ["'flat.png'"]]


def test_an_epoch_visits_every_record_once_in_an_order_of_its_own():
    batches = batch_indices(10, 5, seed=0)
    epochs = [[item for _ in range(2) for item in next(batches)] for _ in range(2)]
    for number, items in enumerate(epochs):
        assert sorted(index for index, _ in items) == list(range(10))
        assert {epoch for _, epoch in items} == {number}
    assert [i for i, _ in epochs[0]] != [i for i, _ in epochs[1]]
    again = batch_indices(10, 5, seed=0)
    assert next(again) == epochs[0][:5]


def test_negatives_beyond_the_slots_are_drawn_anew_each_epoch(clip, tmp_path):
    record = make_records(tmp_path, 1)[0]
    record["negatives"] = [{"caption": f"word{i}", "kind": f"k{i}"} for i in range(9)]
    store = store_of(to_lines(record), tmp_path)

    def draw(epoch):
        return tuple(make_sample(store, 0, epoch, clip, NumSlots(3), seed=0).kinds)

    drawn = [draw(epoch) for epoch in range(20)]
    assert all(len(set(kinds)) == 3 for kinds in drawn)
    assert len(set(drawn)) > 5
    assert drawn[7] == draw(7)


def test_batches_list_the_valid_negatives_in_the_order_of_the_mask(clip, tmp_path):
    records = make_records(tmp_path, 3)
    records[1]["negatives"] = []
    records[2]["negatives"] = records[2]["negatives"][:1]
    store = store_of(to_lines(*records), tmp_path)
    batch = collate(
        [make_sample(store, i, 0, clip, NumSlots(2), 0) for i in range(3)], NumSlots(2), clip
    )
    assert batch.mask.tolist() == [[True, True], [False, False], [True, False]]
    assert batch.kinds.tolist() == [[0, 1], [0, 0], [0, 0]]
    expected = clip.tokenize([n["caption"] for record in records for n in record["negatives"]])
    assert torch.equal(batch.negatives, expected)
    assert batch.pixels.shape == (3, 3, 64, 64)


def test_a_negative_of_the_tokens_of_its_caption_is_masked(clip, tmp_path):
    records = make_records(tmp_path, 2)
    records[0]["negatives"].insert(0, {"caption": f" {records[0]['caption'].upper()}", "kind": "z"})
    slots = NumSlots(3)
    store = store_of(to_lines(*records), tmp_path)
    batch = collate([make_sample(store, i, 0, clip, slots, 0) for i in range(2)], slots, clip)
    assert batch.mask.tolist() == [[False, True, True], [True, True, False]]
    assert batch.kinds.tolist() == [[0, 0, 1], [0, 1, 0]]
    others = [n["caption"] for record in records for n in record["negatives"] if n["kind"] != "z"]
    assert torch.equal(batch.negatives, clip.tokenize(others))


def test_without_slots_there_are_no_negatives(clip, tmp_path):
    store = store_of(to_lines(*make_records(tmp_path, 2)), tmp_path)
    batch = collate(
        [make_sample(store, i, 0, clip, NumSlots(), 0) for i in range(2)], NumSlots(), clip
    )
    assert batch.negatives.shape == (0, clip.tokenize(["x"]).shape[1])
    assert batch.mask.shape == (2, 0)


@given(
    st.integers(0, 6), st.integers(0, 6), st.integers(0, 4), st.integers(0, 3), st.integers(0, 99)
)
def test_a_negative_image_stands_in_the_slot_of_its_caption(captions, images, k, m, seed):
    chosen, shown = draw_slots(captions, images, NumSlots(k, m), str(seed))
    assert len(chosen) == min(captions, k) and len(set(chosen)) == len(chosen)
    assert len(shown) <= m and all(position < images for position in shown)
    for slot, position in enumerate(shown):
        assert position >= captions if slot >= len(chosen) else position == chosen[slot]
    if k and m and captions and images:
        assert shown
