import io

import numpy as np
import pytest

from hnclip_cli.embedding.embed import embed
from hnclip_cli.errors import InputError
from hnclip_cli.models.load import load_clip
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from tests.conftest import to_lines
from tests.factories import make_records


@pytest.fixture(scope="module")
def clip(tiny_run):
    return load_clip(tiny_run, device="cpu")


def rows(clip, data, of, folder=".", on_error="fail", batch_size=4):
    policy = ErrorPolicy(on_error)
    reader = RecordReader(io.BytesIO(data), "x.jsonl", policy)
    blocks = embed(
        reader, clip, of, batch_size=batch_size, policy=policy, image_root=str(folder), workers=2
    )
    return np.concatenate([np.zeros((0, clip.embed_dim), np.float32), *blocks]), policy


def test_rows_are_unit_vectors_in_the_order_of_the_records(clip, tmp_path):
    records = make_records(tmp_path)
    captions, _ = rows(clip, to_lines(*records), "caption")
    assert captions.shape == (6, 128)
    assert np.allclose(np.linalg.norm(captions, axis=1), 1)
    backwards, _ = rows(clip, to_lines(*records[::-1]), "caption")
    assert np.allclose(captions, backwards[::-1], atol=1e-6)


@pytest.mark.parametrize("of", ["image", "caption", "negatives"])
def test_the_batch_size_does_not_matter(clip, tmp_path, of):
    data = to_lines(*make_records(tmp_path))
    one, _ = rows(clip, data, of, tmp_path, batch_size=1)
    many, _ = rows(clip, data, of, tmp_path, batch_size=100)
    assert np.allclose(one, many, atol=1e-6)


def test_negatives_have_a_row_each(clip, tmp_path):
    records = make_records(tmp_path, 3)
    records[1]["negatives"] = []
    found, _ = rows(clip, to_lines(*records), "negatives")
    singles = [
        rows(clip, to_lines({"caption": negative["caption"]}), "caption")[0]
        for record in records
        for negative in record["negatives"]
    ]
    assert np.allclose(found, np.concatenate(singles), atol=1e-6)


def test_a_matching_item_has_a_row_for_each_of_its_images_and_captions(clip, tmp_path):
    make_records(tmp_path, 2)
    item = {"images": ["0.png", "1.png"], "captions": ["x", "y", "z"], "truth": [[0, 0]]}
    assert rows(clip, to_lines(item), "image", tmp_path)[0].shape == (2, 128)
    assert rows(clip, to_lines(item), "caption")[0].shape == (3, 128)


def test_skipped_records_leave_rows_of_nan_in_place(clip, tmp_path):
    records = make_records(tmp_path, 4)
    (tmp_path / "1.png").write_bytes(b"no image")
    lines = to_lines(*records).splitlines(keepends=True)
    data = lines[0] + lines[1] + b"{broken\n" + lines[2] + b"{broken at the end\n"
    found, policy = rows(clip, data, "image", tmp_path, on_error="skip")
    assert np.isnan(found).all(axis=1).tolist() == [False, True, True, False, True]
    assert policy.num_skipped == 3
    alone, _ = rows(clip, lines[2], "image", tmp_path)
    assert np.allclose(found[3], alone[0], atol=1e-6)


def test_an_empty_caption_fails_or_leaves_a_row_of_nan(clip):
    data = to_lines({"caption": "a"}, {"caption": " "}, {"caption": "b"})
    with pytest.raises(InputError, match=r"x\.jsonl:2: field \"caption\" is empty"):
        rows(clip, data, "caption")
    found, _ = rows(clip, data, "caption", on_error="skip")
    assert np.isnan(found[:, 0]).tolist() == [False, True, False]


def test_no_records_give_no_rows(clip):
    assert rows(clip, b"", "image")[0].shape == (0, 128)
