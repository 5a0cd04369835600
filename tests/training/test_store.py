import io

import pytest

from hnclip_cli.errors import InputError
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.training.config import TrainConfig, slots_of
from hnclip_cli.training.loop import left_out
from hnclip_cli.training.store import RecordStore
from tests.conftest import to_lines
from tests.factories import make_records, with_further_texts


def store_of(data, folder, policy=None, sources=()):
    policy = policy or ErrorPolicy()
    reader = RecordReader(io.BytesIO(data), "x.jsonl", policy)
    return RecordStore(reader, str(folder), policy, sources)


def test_records_are_read_back_in_any_order_with_their_line(tmp_path):
    records = make_records(tmp_path, 4)
    store = store_of(b"\n" + to_lines(*records), tmp_path)
    assert len(store) == 4
    assert [store[index].caption for index in (3, 0)] == [r["caption"] for r in records[::-3]]
    assert store[2].where == "x.jsonl:4"
    assert store.kinds == ["replace-color", "replace-noun"]


def test_the_digest_follows_what_is_trained_on_only(tmp_path):
    records = make_records(tmp_path, 2)
    digest = store_of(to_lines(*records), tmp_path).digest
    noted = [record | {"note": "x"} for record in records]
    assert store_of(to_lines(*noted), tmp_path).digest == digest
    assert store_of(to_lines(*records[::-1]), tmp_path).digest != digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": "none.png"}, "image not found"),
        ({"image": "http://x/a.png"}, "fetches nothing"),
        ({"caption": ""}, 'field "caption" is empty'),
        ({"negatives": [1]}, "not an object"),
    ],
)
def test_bad_records_are_found_before_training(tmp_path, change, message):
    records = make_records(tmp_path, 3)
    records[1] |= change
    with pytest.raises(InputError, match=rf"^x\.jsonl:2: .*{message}"):
        store_of(to_lines(*records), tmp_path)
    policy = ErrorPolicy("skip")
    assert len(store_of(to_lines(*records), tmp_path, policy)) == 2
    assert policy.num_skipped == 1


def test_captions_of_one_image_share_a_group(tmp_path):
    records = make_records(tmp_path, 3)
    records[2]["image"] = records[0]["image"]
    store = store_of(to_lines(*records), tmp_path)
    assert store.groups[0] == store.groups[2] != store.groups[1]


def test_what_a_run_does_without_is_named(tmp_path):
    bare = make_records(tmp_path, 2)
    shown = [bare[0] | {"negative_images": ["1.png"]}]

    def said(objective, records):
        config = TrainConfig(objective=objective)
        store = store_of(to_lines(*records), tmp_path, sources=slots_of(config, True).sources)
        return list(left_out(store, config))

    assert said("triplet", bare) == [
        "--objective triplet runs without negative images; try hnclip data generate before this"
    ]
    assert said("triplet", shown) == said("ce-clip", bare) == []
    assert said("svlc", bare) == [
        "--objective svlc runs without other captions of the same image; "
        'try records with "captions", a list of true ones'
    ]
    assert said("svlc", with_further_texts(bare)) == []
    assert said("read", with_further_texts(bare)) == [
        "--objective read runs without its term reconstruction; try --decoder google/t5-v1_1-large"
    ]
