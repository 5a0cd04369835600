"""Scores from a model, from arrays, and by hand are the same."""

import io

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from hnclip_cli.embedding.embed import embed
from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.models import encoder as encoder_module
from hnclip_cli.models.encoder import Encoder
from hnclip_cli.models.load import load_clip
from hnclip_cli.scoring.matrix import Logits
from hnclip_cli.scoring.score import logits_of, score, score_with_arrays, score_with_model
from hnclip_cli.streams.images import load_image
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.streams.npy import NpyWriter, Rows
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
    scored = score(
        reader, model=clip, batch_size=batch_size, policy=policy, image_root=str(folder), workers=2
    )
    return list(scored)


def array_of(clip, data, of, folder, on_error="fail"):
    policy = ErrorPolicy(on_error)
    reader = RecordReader(io.BytesIO(data), "x.jsonl", policy)
    stream = io.BytesIO()
    np.save(stream, embed(reader, of, model=clip, policy=policy, image_root=str(folder)))
    stream.seek(0)
    return stream


def from_arrays(data, arrays, on_error="fail"):
    policy = ErrorPolicy(on_error)
    reader = RecordReader(io.BytesIO(data), "x.jsonl", policy)
    readers = {of: Rows.from_npy(stream, f"{of}.npy") for of, stream in arrays.items()}
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
    added = ("scores", "run")
    assert [{k: v for k, v in r.items() if k not in added} for r in scored] == records
    assert all(r["run"] == clip.run() for r in scored)


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


class Broken:
    """A model that finds no vector for an image or a caption."""

    def __init__(self, clip, of, value):
        self._clip, self._of, self._value = clip, of, value

    def __getattr__(self, name):
        return getattr(self._clip, name)

    def encode_images(self, pixels):
        rows = self._clip.encode_images(pixels)
        if self._of == "image":
            rows[pixels.mean(dim=(1, 2, 3)).argmax()] = self._value
        return rows

    def encode_captions(self, captions):
        rows = self._clip.encode_captions(captions)
        if self._of == "caption":
            rows[[text == "a green square number 1" for text in captions]] = self._value
        return rows


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0])
@pytest.mark.parametrize("of", ["image", "caption"])
def test_what_a_model_gives_no_vector_for_has_no_scores(clip, records, tmp_path, of, value):
    broken, policy = Broken(clip, of, value), ErrorPolicy("skip")
    reader = RecordReader(io.BytesIO(to_lines(*records)), "x.jsonl")
    with pytest.raises(InputError, match=r"x\.jsonl:\d: .*(no vector|zero|not finite).* fp32"):
        list(score(reader, model=broken, image_root=str(tmp_path)))
    reader = RecordReader(io.BytesIO(to_lines(*records)), "x.jsonl")
    scored = list(score(reader, model=broken, image_root=str(tmp_path), policy=policy))
    assert policy.num_skipped >= 1 and len(scored) == len(records) - policy.num_skipped
    assert all(np.isfinite(record["scores"]).all() for record in scored)


def test_logits_that_are_not_finite_are_refused(clip, records, tmp_path, monkeypatch):
    monkeypatch.setattr(type(clip), "logit_scale", torch.tensor(float("inf")))
    with pytest.raises(HnclipError, match="logits are not finite"):
        score(records, model=clip, image_root=str(tmp_path), logits=True)


def test_the_records_before_a_bad_one_are_scored_first(clip, records, tmp_path):
    (tmp_path / "2.png").unlink()
    seen = []
    reader = RecordReader(io.BytesIO(to_lines(*records)), "x.jsonl")
    with pytest.raises(InputError, match=r"x\.jsonl:3: image not found"):
        for record in score(reader, model=clip, image_root=str(tmp_path)):
            seen.append(record["id"])
    assert seen == ["r0", "r1"]


def test_negatives_need_their_own_array(clip, tmp_path):
    data = to_lines(*make_records(tmp_path, 2))
    arrays = {of: array_of(clip, data, of, tmp_path) for of in ("image", "caption")}
    with pytest.raises(InputError, match="try --negative-embeddings FILE"):
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
    with pytest.raises(HnclipError, match=r"lengths; got image\.npy: 2, caption\.npy: 3"):
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


def test_an_image_is_decoded_and_encoded_once(clip, tmp_path, monkeypatch):
    records = make_records(tmp_path, 3)
    again = [record | {"caption": "another one"} for record in records]
    forwards = []
    encode = clip.encode_images
    monkeypatch.setattr(clip, "encode_images", lambda p: forwards.append(len(p)) or encode(p))
    scored = from_model(clip, to_lines(*records, *again), tmp_path, batch_size=2)
    assert sum(forwards) == 3
    assert_scores(scored, [by_hand(clip, record, tmp_path) for record in (*records, *again)])


def test_crops_of_one_image_are_different_images(clip, tmp_path):
    (record, *_) = make_records(tmp_path, 1)
    Image.effect_mandelbrot((70, 64), (-2, -1, 1, 1), 9).save(tmp_path / "0.png")
    records = [record | {"crops": [crop]} for crop in (None, [0, 0, 30, 30], [20, 20, 40, 40])]
    scored = from_model(clip, to_lines(*records), tmp_path)
    assert_scores(scored, [by_hand(clip, record, tmp_path) for record in records])
    assert len({str(record["scores"]) for record in scored}) == 3


def test_a_bad_image_is_bad_for_every_record_that_has_it(clip, tmp_path):
    records = make_records(tmp_path, 2)
    (tmp_path / "1.png").unlink()
    policy = ErrorPolicy("skip", report=(messages := []).append)
    reader = RecordReader(io.BytesIO(to_lines(*records, records[1], records[0])), "x.jsonl")
    scored = list(score(reader, model=clip, policy=policy, image_root=str(tmp_path)))
    assert [record["id"] for record in scored] == ["r0", "r0"]
    assert [str(message).partition(":")[2][:20] for message in messages] == [
        "2: image not found; ", "3: image not found; ",
    ]  # fmt: skip


def test_what_was_long_ago_is_encoded_again(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(encoder_module, "MEMORY_BYTES", 1)
    records = make_records(tmp_path, 2) * 2
    scored = from_model(clip, to_lines(*records), tmp_path)
    assert_scores(scored, [by_hand(clip, record, tmp_path) for record in records])


def test_logits_are_cosines_times_the_scale_of_the_model_and_its_bias(clip, records, tmp_path):
    data = to_lines(*records)
    logits = Logits(logits_of(clip).scale, -10.0)
    assert logits.scale == pytest.approx(clip.module.logit_scale.exp().item())
    encoder = Encoder(clip, batch_size=4, image_root=str(tmp_path))
    scored = list(score_with_model(records, encoder, ErrorPolicy(), logits=logits))
    for record, plain in zip(scored, from_model(clip, data, tmp_path), strict=True):
        expected = np.array(plain["scores"]) * logits.scale - 10
        np.testing.assert_allclose(record["scores"], expected, atol=1e-5)


def test_prompts_of_a_class_score_as_the_classifier_of_open_clip(clip, tmp_path):
    make_records(tmp_path, 2)
    classes, templates = ["dog", "old cat", "car"], open_clip.SIMPLE_IMAGENET_TEMPLATES
    count = len(templates)
    item = {
        "images": ["0.png", "1.png"],
        "captions": [template(name) for name in classes for template in templates],
        "truth": [[image, i] for image in range(2) for i in range(count)],
        "prompts_per_class": count,
    }
    (record,) = score([item], model=clip, image_root=str(tmp_path))
    weights = open_clip.build_zero_shot_classifier(clip.module, clip.tokenizer, classes, templates)
    pixels = [clip.preprocess(Image.open(tmp_path / name)) for name in item["images"]]
    with torch.no_grad():
        expected = clip.encode_images(torch.stack(pixels)) @ weights
    np.testing.assert_allclose(
        record["scores"], expected.repeat_interleave(count, dim=1), atol=1e-6
    )
    assert len(set(record["scores"][0])) == len(
        classes
    )  # to the last digit the same within a class


def test_captions_are_compared_where_the_official_score_asks_for_it(clip, tmp_path):
    make_records(tmp_path, 1)
    item = {"images": ["0.png"], "captions": ["a cat", "one cat", "dog"], "truth": [[0, 0], [0, 1]]}
    item |= {"benchmark": "sugarcrepe-pp"}
    lines = to_lines(item, item | {"benchmark": "sugarcrepe"})
    named, other = from_model(clip, lines, tmp_path)
    units = clip.encode_captions(item["captions"]).detach()
    np.testing.assert_allclose(named["caption_scores"], units @ units.T, atol=2e-6)
    assert "caption_scores" not in other
    arrays = {of: array_of(clip, lines, of, tmp_path) for of in ("image", "caption")}
    assert from_arrays(lines, arrays)[0]["caption_scores"] == named["caption_scores"]


@pytest.mark.parametrize("workers", [0, 2])
def test_images_of_one_flat_color_are_counted_and_named(clip, tmp_path, workers):
    records = make_records(tmp_path, 3)
    Image.new("RGB", (30, 20), "red").save(tmp_path / "1.png")
    named = []
    policy = ErrorPolicy(report_odd=lambda what, where: named.append(where))
    scored = score(records, model=clip, image_root=str(tmp_path), workers=workers, policy=policy)
    assert len(list(scored)) == 3
    assert (named, policy.num_odd) == (["records:2: '1.png'"], {"images of one flat color": 1})


def test_false_captions_of_the_tokens_of_true_ones_are_listed(clip, tmp_path):
    make_records(tmp_path, 2)
    images, captions = ["0.png", "1.png"], ["a cat", "A  CAT", "a dog", "a cat."]
    items = [
        {"images": images, "captions": captions, "truth": [[0, 0], [1, 2]]},
        {"images": images, "captions": captions, "truth": [[0, 0], [0, 1], [1, 2]]},
        {"images": images, "captions": captions[:2], "truth": [[0, 0], [1, 1]]},
    ]
    scored = list(score(items, model=clip, image_root=str(tmp_path)))
    assert [item.get("same_tokens") for item in scored] == [[1], None, [0, 1]]


def test_an_explanation_is_that_of_the_scores(clip, tmp_path):
    (record,) = make_records(tmp_path, 1)
    (scored,) = score([record], model=clip, method="explain", image_root=str(tmp_path))
    (row,) = scored["scores"]
    left_out = by_hand(clip, record | {"caption": "a square number 0"}, tmp_path)[0][0]
    for value, explained in zip(row[1:], scored["explain"], strict=True):
        assert explained["margin"] == pytest.approx(row[0] - value, abs=1e-6)
        assert explained["decided_by"] == 0
    (edit,) = scored["explain"][0]["edits"]
    assert (edit["text"], edit["replacement"]) == ("red", "green")
    assert edit["text_support"] == pytest.approx(row[0] - left_out, abs=2e-6)
    assert edit["replacement_support"] == pytest.approx(row[1] - left_out, abs=2e-6)


def test_arrays_in_memory_and_their_files_give_the_same(clip, records, tmp_path):
    arrays = {
        name: embed(records, of, model=clip, image_root=str(tmp_path))
        for name, of in (("image", "image"), ("caption", "caption"), ("negative", "negatives"))
    }
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    given = {f"{name}_embeddings": array for name, array in arrays.items()}
    files = {f"{name}_embeddings": str(tmp_path / f"{name}.npy") for name in arrays}
    scored = [dict(record) for record in score(records, **given)]
    assert scored == [dict(record) for record in score(records, **files)]
    assert_scores(scored, [by_hand(clip, record, tmp_path) for record in records])
    assert "scores" not in records[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either from a model or from embeddings"),
        (
            {"model": "x", "image_embeddings": np.ones((1, 2))},
            "either from a model or from embeddings",
        ),
        ({"image_embeddings": np.ones((1, 2))}, "embeddings need both images and captions"),
        ({"logits": True}, "logits need a model"),
    ],
)
def test_ways_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(HnclipError, match=message):
        score([], **options)
