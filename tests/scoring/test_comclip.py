"""ComCLIP against a straightforward loop, and its relation to plain cosines."""

from unittest.mock import patch

import numpy as np
import pytest
import torch
from PIL import Image

from hnclip_cli.errors import InputError
from hnclip_cli.models.encoder import Encoder
from hnclip_cli.models.load import load_clip
from hnclip_cli.scoring import comclip as comclip_module
from hnclip_cli.scoring.comclip import Entity, entities_of, score_with_comclip, weights_of
from hnclip_cli.scoring.score import logits_of, score
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record
from hnclip_cli.streams.regions import Region

DOG, CAT, BOTH = (2, 3, 20, 30), (30, 8, 25, 40), ((2, 3, 20, 30), (30, 8, 25, 40))
REGIONS = [
    {"box": list(DOG), "text": "a dog", "role": "subject"},
    {"box": list(CAT), "text": "a cat", "role": "object"},
    {"text": "chases", "role": "relation"},
]
SWAPPED = {"caption": "a cat chases a dog", "edits": [[2, 5, "cat"], [15, 18, "dog"]]}


@pytest.fixture(scope="module")
def clip(tiny_run):
    return load_clip(tiny_run, device="cpu")


@pytest.fixture
def record(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 64, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    caption = "a dog chases a cat"
    return {"image": "a.png", "caption": caption, "negatives": [SWAPPED], "regions": REGIONS}


def no_parser(caption):
    raise AssertionError("nothing has to be parsed")


def comclip(clip, folder, *records, on_error="fail", parse=no_parser, workers=0, logits=None):
    encoder = Encoder(clip, batch_size=2, image_root=str(folder), workers=workers)
    policy = ErrorPolicy(on_error)
    numbered = [Record(record, "x.jsonl", line) for line, record in enumerate(records, 1)]
    with patch.object(comclip_module, "noun_phrases", parse):
        return list(score_with_comclip(numbered, encoder, policy, logits=logits)), policy


@torch.inference_mode()
def by_hand(clip, path, caption, entities):
    """v' = v + Σ αⱼ vⱼ, an entity at a time."""

    def image_vector(image):
        return clip.encode_images(clip.preprocess(image)[None])[0].double()

    def text_vector(text):
        return clip.encode_captions([text])[0].double()

    image = Image.open(path).convert("RGB")
    vectors, similarities = [], []
    for words, boxes in entities:
        part = Image.new("RGB", image.size) if boxes else image
        for left, top, width, height in boxes:
            box = (left, top, left + width, top + height)
            part.paste(image.crop(box), (left, top))
        vectors.append(image_vector(part))
        similarities.append(max(0.0, float(vectors[-1] @ text_vector(words))))
    if vectors and sum(similarities) == 0:
        similarities = [1.0] * len(vectors)
    total = image_vector(image)
    for vector, similarity in zip(vectors, similarities, strict=True):
        total = total + similarity / sum(similarities) * vector
    return float(total / total.norm() @ text_vector(caption))


@pytest.mark.parametrize("workers", [0, 1])
def test_scores_equal_a_straightforward_loop(clip, record, tmp_path, workers):
    (scored,), _ = comclip(clip, tmp_path, record, workers=workers)
    path = tmp_path / "a.png"
    true = [("a dog", [DOG]), ("a cat", [CAT]), ("chases", BOTH)]
    false = [("a cat", [DOG]), ("a dog", [CAT]), ("chases", BOTH)]
    expected = [
        by_hand(clip, path, "a dog chases a cat", true),
        by_hand(clip, path, "a cat chases a dog", false),
    ]
    np.testing.assert_allclose(scored["scores"], [expected], atol=2e-6)
    assert {name: scored[name] for name in record} == record


def test_boxes_of_the_whole_image_give_plain_cosines(clip, record, tmp_path):
    for regions in ([{"box": [0, 0, 64, 60], "text": "a dog"}], [{"text": "x"}], [], None):
        given = record | {"regions": regions}
        (scored,), _ = comclip(clip, tmp_path, given)
        (plain,) = score([given], model=clip, image_root=str(tmp_path))
        np.testing.assert_allclose(scored["scores"], plain["scores"], atol=2e-6)


def test_items_of_several_images_have_regions_for_each(clip, record, tmp_path):
    Image.new("RGB", (64, 60), "red").save(tmp_path / "b.png")
    item = {
        "images": ["a.png", "b.png"], "captions": ["a dog", "red"], "truth": [[0, 0], [1, 1]],
        "regions": [[{"box": list(DOG), "role": "subject"}], None],
    }  # fmt: skip
    (scored,), _ = comclip(clip, tmp_path, item, parse=lambda caption: [(0, len(caption))])
    expected = [
        [by_hand(clip, tmp_path / "a.png", text, [(text, [DOG])]) for text in item["captions"]],
        [by_hand(clip, tmp_path / "b.png", text, []) for text in item["captions"]],
    ]
    np.testing.assert_allclose(scored["scores"], expected, atol=2e-6)


def test_logits_are_scaled_scores(clip, record, tmp_path):
    (scored,), _ = comclip(clip, tmp_path, record)
    (scaled,), _ = comclip(clip, tmp_path, record, logits=logits_of(clip))
    scale = clip.logit_scale.item()
    np.testing.assert_allclose(scaled["scores"], np.multiply(scored["scores"], scale), rtol=1e-6)


def test_bad_regions_are_errors_or_counted(clip, record, tmp_path):
    outside = record | {"regions": [{"box": [64, 0, 5, 5], "text": "a"}]}
    malformed = record | {"regions": [{"box": [0, 0], "text": "a"}]}
    with pytest.raises(InputError, match=r"x\.jsonl:2: a region lies outside of its image"):
        comclip(clip, tmp_path, record, outside)
    scored, policy = comclip(clip, tmp_path, outside, malformed, record, on_error="skip")
    assert (len(scored), policy.num_skipped) == (1, 2)
    matching = {"images": [record["image"]], "captions": ["a", "b", "c"], "truth": [[0, 0]]}
    uneven = matching | {"prompts_per_class": 2}
    scored, policy = comclip(clip, tmp_path, uneven, record, on_error="skip")
    assert (len(scored), policy.num_skipped) == (1, 1)


@pytest.mark.parametrize(
    ("similarities", "weights"),
    [
        ([0.25, 0.75], [0.25, 0.75]),
        ([0.5, -0.5], [1, 0]),  # the sum is 0
        ([0.5, -0.499999], [1, 0]),
        ([-0.1, -0.2], [0.5, 0.5]),
        ([0, 0, 0, 0], [0.25] * 4),
    ],
)
def test_weights_are_never_negative_and_add_up_to_one(similarities, weights):
    np.testing.assert_allclose(weights_of(np.float32(similarities)), weights, rtol=1e-6)


def entities(regions, caption, edits=(), original=None, phrases=()):
    with patch.object(comclip_module, "noun_phrases", lambda caption: phrases):
        return entities_of(regions, caption, original or caption, edits)


def test_edits_reach_the_words_of_a_region_only_within_their_place():
    regions = [Region(DOG, "A red dog", ""), Region(CAT, "the sky", ""), Region(CAT, "red", "")]
    original, edits = "a red dog sits under the sky", [(2, 5, "blue"), (10, 14, "stands")]
    found = entities(regions, "a blue dog stands under the sky", edits, original)
    assert [entity.words for entity in found] == ["a blue dog", "the sky", "blue"]


def test_words_that_a_negative_drops_name_nothing():
    found = entities([Region(DOG, "red", "")], "a dog", [(2, 6, "")], "a red dog")
    assert [entity.words for entity in found] == ["red"]  # the edit takes a space along
    assert entities([Region(DOG, "red", "")], "a dog", [(2, 5, "")], "a red dog") == []


def test_roles_are_found_in_the_caption():
    regions = [Region(DOG, "", "subject"), Region(CAT, "", "object"), Region(None, "", "relation")]
    caption = "a dog is chasing, a cat"
    assert entities(regions, caption, phrases=[(0, 5), (18, 23)]) == [
        Entity("a dog", (DOG,)), Entity("a cat", (CAT,)), Entity("is chasing", BOTH),
    ]  # fmt: skip
    assert entities(regions, caption, phrases=[(0, 5)]) == [Entity("a dog", (DOG,))]
    assert entities(regions, caption) == []


def test_regions_of_the_same_words_are_shown_together():
    assert entities([Region(DOG, "dog", ""), Region(CAT, "dog", "")], "x") == [Entity("dog", BOTH)]
    whole = [Region(DOG, "dog", ""), Region(None, "dog", ""), Region(CAT, "dog", "")]
    assert entities(whole, "x") == [Entity("dog", ())]


def test_a_relation_without_subject_or_object_is_the_whole_image():
    regions = [Region(DOG, "a dog", "subject"), Region(None, "runs", "relation")]
    assert entities(regions, "a dog runs")[1] == Entity("runs", ())
