"""Scores from a model, from arrays, and by hand are the same."""

import io

import numpy as np
import pytest
import torch

from hnclip_cli.embedding.embed import embed
from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.models.load import load_clip
from hnclip_cli.scoring.encoding import Encoder
from hnclip_cli.scoring.from_arrays import score_with_arrays
from hnclip_cli.scoring.from_model import score_with_model
from hnclip_cli.streams.images import load_image
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.streams.npy import NpyReader, NpyWriter
from hnclip_cli.streams.records import Record
from tests.conftest import to_lines
from tests.factories import make_records


@pytest.fixture(scope="module")
def clip(tiny_run):
    return load_clip(tiny_run, device="cpu")


@pytest.fixture
def records(tmp_path):
    records = make_records(tmp_path, 5)
    records[1]["negatives"] = []
    item = {"images": ["0.png", "1.png"], "captions": ["x", "y", "z"], "truth": [[0, 0], [1, 1]]}
    return [*records, item]


def from_model(clip, data, folder, on_error="fail", batch_size=4):
    policy = ErrorPolicy(on_error)
    reader = RecordReader(io.BytesIO(data), "x.jsonl", policy)
    return list(score_with_model(reader, Encoder(clip, batch_size, policy, str(folder), workers=2)))


def array_of(clip, data, of, folder, on_error="fail"):
    policy = ErrorPolicy(on_error)
    reader = RecordReader(io.BytesIO(data), "x.jsonl", policy)
    stream = io.BytesIO()
    with NpyWriter(stream, clip.embed_dim) as writer:
        for block in embed(reader, clip, of, batch_size=4, policy=policy, image_root=str(folder)):
            writer.write(block.rows)
    stream.seek(0)
    return stream


def from_arrays(data, arrays, on_error="fail"):
    policy = ErrorPolicy(on_error)
    reader = RecordReader(io.BytesIO(data), "x.jsonl", policy)
    readers = {of: NpyReader(stream, f"{of}.npy") for of, stream in arrays.items()}
    return list(score_with_arrays(reader, readers, policy))


@torch.inference_mode()
def by_hand(clip, record, folder):
    record = Record(record)
    images = torch.stack(
        [clip.preprocess(load_image(record, name, str(folder))) for name in record.image_list]
    )
    return (clip.encode_images(images) @ clip.encode_captions(record.matching.captions).T).tolist()


def assert_scores(scored, expected):
    for record, scores in zip(scored, expected, strict=True):
        np.testing.assert_allclose(record["scores"], scores, atol=2e-6)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_scores_from_the_model_equal_those_by_hand(clip, records, tmp_path, batch_size):
    scored = from_model(clip, to_lines(*records), tmp_path, batch_size=batch_size)
    assert_scores(scored, [by_hand(clip, record, tmp_path) for record in records])
    assert [{k: v for k, v in r.items() if k != "scores"} for r in scored] == records


def test_scores_from_arrays_equal_those_by_hand(clip, records, tmp_path):
    data = to_lines(*records)
    arrays = {of: array_of(clip, data, of, tmp_path) for of in ("image", "caption", "negatives")}
    assert_scores(from_arrays(data, arrays), [by_hand(clip, r, tmp_path) for r in records])


def test_skipped_records_do_not_move_the_others(clip, records, tmp_path):
    (tmp_path / "2.png").write_bytes(b"no image")
    lines = to_lines(*records).splitlines(keepends=True)
    data = b"".join([b"{broken\n", *lines, b"{broken\n"])
    kept = [records[i] for i in (0, 1, 3, 4, 5)]
    expected = [by_hand(clip, record, tmp_path) for record in kept]
    assert_scores(from_model(clip, data, tmp_path, on_error="skip"), expected)
    arrays = {
        of: array_of(clip, data, of, tmp_path, on_error="skip")
        for of in ("image", "caption", "negatives")
    }
    scored = from_arrays(data, arrays, on_error="skip")
    assert [record.get("id") for record in scored] == ["r0", "r1", "r3", "r4", None]
    assert_scores(scored, expected)


def test_a_row_of_nan_is_an_error_that_names_the_record(clip, tmp_path):
    data = to_lines(*make_records(tmp_path, 2))
    arrays = {of: array_of(clip, data, of, tmp_path) for of in ("caption", "negatives")}
    (tmp_path / "1.png").unlink()
    arrays["image"] = array_of(clip, data, "image", tmp_path, on_error="skip")
    with pytest.raises(InputError, match=r"x\.jsonl:2: the embedding is not finite"):
        from_arrays(data, arrays)


def test_the_records_before_a_bad_one_are_scored_first(clip, records, tmp_path):
    (tmp_path / "2.png").unlink()
    seen = []
    reader = RecordReader(io.BytesIO(to_lines(*records)), "x.jsonl")
    with pytest.raises(InputError, match=r"x\.jsonl:3: image not found"):
        for record in score_with_model(reader, Encoder(clip, 64, ErrorPolicy(), str(tmp_path))):
            seen.append(record["id"])
    assert seen == ["r0", "r1"]


def test_negatives_need_their_own_array(clip, tmp_path):
    data = to_lines(*make_records(tmp_path, 2))
    arrays = {of: array_of(clip, data, of, tmp_path) for of in ("image", "caption")}
    with pytest.raises(InputError, match="try --negative-embeddings"):
        from_arrays(data, arrays)


@pytest.mark.parametrize(("count", "message"), [(1, "too few rows"), (3, "does not belong")])
def test_arrays_of_other_records_are_refused(clip, tmp_path, count, message):
    records = [record | {"negatives": []} for record in make_records(tmp_path, 3)]
    arrays = {
        "image": array_of(clip, to_lines(*records[:count]), "image", tmp_path),
        "caption": array_of(clip, to_lines(*records[:2]), "caption", tmp_path),
    }
    with pytest.raises(HnclipError, match=message):
        from_arrays(to_lines(*records[:2]), arrays)


def test_arrays_of_different_models_are_refused():
    streams = {}
    for of, width in {"image": 2, "caption": 3}.items():
        streams[of] = io.BytesIO()
        with NpyWriter(streams[of], width) as writer:
            writer.write(np.ones((1, width), np.float32))
        streams[of].seek(0)
    with pytest.raises(HnclipError, match="different lengths; got image: 2, caption: 3"):
        from_arrays(to_lines({"image": "a.png", "caption": "a"}), streams)


def test_embeddings_that_are_not_normalised_are(tmp_path):
    streams = {}
    for of, row in {"image": [3.0, 0.0], "caption": [2.0, 2.0]}.items():
        streams[of] = io.BytesIO()
        with NpyWriter(streams[of], 2) as writer:
            writer.write(np.array([row], np.float32))
        streams[of].seek(0)
    scored = from_arrays(to_lines({"image": "a.png", "caption": "a"}), streams)
    assert scored[0]["scores"] == [[pytest.approx(0.5**0.5)]]
