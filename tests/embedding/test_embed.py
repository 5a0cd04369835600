import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from hnclip_cli.embedding import embed as embed_module
from hnclip_cli.embedding.embed import embed, embed_blocks
from hnclip_cli.errors import InputError
from hnclip_cli.models import encoder as encoder_module
from hnclip_cli.models.encoder import Encoder
from hnclip_cli.models.load import load_clip
from hnclip_cli.models.pixels import PixelLoader
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from tests.conftest import to_lines
from tests.factories import make_records


@pytest.fixture(scope="module")
def clip(tiny_run):
    return load_clip(tiny_run, device="cpu")


def rows(clip, data, of, folder=".", on_error="fail", batch_size=4):
    policy = ErrorPolicy(on_error)
    reader = RecordReader(io.BytesIO(data), "x.jsonl", policy)
    found = embed(
        reader, of, model=clip, batch_size=batch_size, policy=policy, image_root=str(folder),
        workers=2,
    )  # fmt: skip
    return found, policy


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


@pytest.mark.parametrize("value", [np.nan, np.inf, 0])
def test_what_a_model_gives_no_vector_for_is_a_bad_record(clip, monkeypatch, value):
    def broken(captions):
        found = real(captions)
        found[captions.index("a dog")] = value
        return found

    real = clip.encode_captions
    monkeypatch.setattr(clip, "encode_captions", broken)
    data = to_lines({"caption": "a cat"}, {"caption": "a dog"}, {"caption": "a dog"})
    with pytest.raises(InputError, match=r"x\.jsonl:2: the model gives no vector: .* fp32"):
        rows(clip, data, "caption")
    found, _ = rows(clip, data, "caption", on_error="skip")
    assert np.isnan(found).all(axis=1).tolist() == [False, True, True]


def test_no_records_give_no_rows(clip):
    assert rows(clip, b"", "image")[0].shape == (0, 128)


def test_an_image_that_cannot_be_used_costs_its_own_row_and_is_named_wherever_it_stands(
    clip, tmp_path
):
    make_records(tmp_path, 2)
    (tmp_path / "bad.png").write_bytes(b"no image")
    items = [{"images": ["0.png", "bad.png"]}, {"image": "bad.png"}, {"image": "0.png"}]
    policy = ErrorPolicy("skip", messages := [])
    policy.report = lambda error: messages.append(str(error))
    reader = RecordReader(io.BytesIO(to_lines(*items)), "x.jsonl", policy)
    found = embed(reader, "image", model=clip, policy=policy, image_root=str(tmp_path))
    assert np.isnan(found).all(axis=1).tolist() == [False, True, True, False]
    assert [message.partition(" cannot")[0] for message in messages] == [
        "x.jsonl:1: image",
        "x.jsonl:2: image",
    ]


@pytest.fixture
def encoded(clip, monkeypatch):
    """What the model is given: captions, and numbers of images."""
    seen = SimpleNamespace(captions=[], images=[])

    def captions(texts, original=clip.encode_captions):
        seen.captions.extend(texts)
        return original(texts)

    def images(pixels, original=clip.encode_images):
        seen.images.append(len(pixels))
        return original(pixels)

    monkeypatch.setattr(clip, "encode_captions", captions)
    monkeypatch.setattr(clip, "encode_images", images)
    return seen


def test_each_distinct_caption_and_image_is_encoded_once(clip, tmp_path, encoded, monkeypatch):
    decoded = []
    load = PixelLoader.load
    monkeypatch.setattr(
        PixelLoader,
        "load",
        lambda self, wanted: decoded.extend(name for _, name, _ in wanted) or load(self, wanted),
    )
    records = make_records(tmp_path, 3) * 4
    rows(clip, to_lines(*records), "caption")
    assert sorted(encoded.captions) == sorted({record["caption"] for record in records})
    found, _ = rows(clip, to_lines(*records), "image", tmp_path)
    assert sorted(decoded) == ["0.png", "1.png", "2.png"]
    assert sum(encoded.images) == 3
    assert np.array_equal(found[:3], found[9:])


def test_what_is_remembered_is_bounded(clip, encoded, monkeypatch):
    monkeypatch.setattr(encoder_module, "MEMORY_BYTES", 2 * 4 * clip.embed_dim)
    data = to_lines(*({"caption": text} for text in "aabbaccb"))
    found, _ = rows(clip, data, "caption", batch_size=1)
    assert encoded.captions == ["a", "b", "c", "b"]
    assert np.allclose(found[2], found[7], atol=1e-6)


def test_parts_of_one_image_are_not_taken_for_each_other(clip, tmp_path):
    image = Image.new("RGB", (64, 64), "red")
    image.paste("blue", (32, 0, 64, 64))
    image.save(tmp_path / "0.png")
    boxes = [[0, 0, 32, 64], [32, 0, 32, 64], None, [0, 0, 32, 64]]
    records = [{"image": "0.png", "caption": "x", "crops": [box]} for box in boxes]
    found, _ = rows(clip, to_lines(*records), "image", tmp_path)
    assert np.array_equal(found[0], found[3])
    assert len(np.unique(found.round(4), axis=0)) == 3


def test_a_window_without_anything_new_ends_too(clip, monkeypatch):
    monkeypatch.setattr(embed_module, "MAX_RECORDS", 4)
    blocks = list(embed_blocks([{"caption": "a"}] * 10, "caption", Encoder(clip, batch_size=8)))
    assert [len(block.rows) for block in blocks] == [4, 4, 2]


def test_the_first_rows_come_before_the_end_of_the_input(clip):
    def lines():
        for number in range(5):
            yield {"caption": f"caption {number}"}
        raise AssertionError("read further than needed")

    class Live(io.RawIOBase):
        source = lines()

        def readable(self):
            return True

        def read1(self, size):
            return to_lines(next(self.source))

    block = next(embed_blocks(RecordReader(Live()), "caption", Encoder(clip, batch_size=4)))
    assert block.rows.shape == (4, 128)


def test_windows_grow_so_that_captions_find_neighbors(clip):
    records = ({"caption": f"caption {number}"} for number in range(20))
    blocks = embed_blocks(records, "caption", Encoder(clip, batch_size=2))
    assert [len(block.rows) for block in blocks] == [2, 4, 8, 6]


def test_plain_dicts_have_a_row_each_whatever_they_were_taken_from(clip, tiny_run):
    records = [{"caption": "a"}, {"caption": "b"}, {"caption": "c"}]
    found = embed(records, "caption", model=tiny_run)
    assert np.array_equal(found, rows(clip, to_lines(*records), "caption", batch_size=64)[0])
    chosen = list(RecordReader(io.BytesIO(to_lines(*records))))[1:]
    assert np.allclose(embed(chosen, "caption", model=clip), found[1:], atol=1e-6)
    with pytest.raises(InputError, match=r"^records:2: missing field"):
        embed([{"caption": "a"}, {}], "caption", model=clip)
