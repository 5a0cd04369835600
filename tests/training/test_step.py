import io
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from hnclip_cli.models.load import load_clip
from hnclip_cli.models.text import CPU_LAYOUT, Layout
from hnclip_cli.models.text_decoder import TextDecoder
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.training.batches import collate, make_sample
from hnclip_cli.training.config import TrainConfig, slots_of
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.step import forward_backward, settle_layout
from hnclip_cli.training.store import RecordStore
from hnclip_cli.training.texts import SOURCES
from tests.conftest import to_lines
from tests.factories import make_records, with_further_texts
from tests.models.tiny_t5 import make_t5

SIZE = 6


@pytest.fixture(scope="module")
def clip():
    """A model without batch normalization, in float64: there a difference is a mistake."""
    clip = load_clip("hnclip-tiny-vit", device="cpu")
    clip.module.double()
    return clip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    records = make_records(folder, SIZE)
    records = with_further_texts(records)
    records[1]["negatives"] = []
    records[2]["caption"] += " and some more words, so that its part is longer"
    records[4]["image"] = records[0]["image"]
    records[0]["negative_images"] = ["2.png"]
    records[5]["negative_images"] = ["3.png", "1.png"]
    reader = RecordReader(io.BytesIO(to_lines(*records)), "x.jsonl")
    return RecordStore(reader, str(folder), ErrorPolicy(), SOURCES)


@pytest.fixture(scope="module")
def rebuilding(clip, tmp_path_factory):
    """The same model with a decoder, and the settings for it."""
    folder = make_t5(tmp_path_factory.mktemp("t5"))
    decoder = TextDecoder(folder, clip.embed_dim, seed=0, device=clip.device).double()
    return replace(clip, decoder=decoder), {"decoder": folder}


def gradients(clip, store, objective, micro_batch, **settings):
    config = TrainConfig(objective=objective, micro_batch=micro_batch, **settings)
    slots = slots_of(config, store.has_negative_images)
    samples = [make_sample(store, index, 0, clip, slots, 0) for index in range(SIZE)]
    batch = collate(samples, slots, clip)
    batch.pixels = batch.pixels.double()
    batch.negative_pixels = batch.negative_pixels.double()
    for parameter in clip.parameters:
        parameter.grad = None
    thresholds = torch.full((len(store.threshold_names),), 2.0, dtype=torch.float64)
    outcome = forward_backward(clip, batch, config, thresholds)
    grads = {
        name: parameter.grad.clone()
        for name, parameter in clip.module.named_parameters()
        if parameter.grad is not None
    }
    if clip.decoder is not None:
        grads["decoder"] = clip.decoder.layer.weight.grad.clone()
    return outcome, grads


@pytest.mark.parametrize(
    "objective",
    [
        "clip",
        "negclip",
        "ce-clip",
        "fsc-clip",
        "triplet",
        "svlc",
        "dac",
        "read",
        "cs-clip",
        "clic",
        "concept-centric",
    ],
)
def test_micro_batches_change_nothing(clip, store, objective):
    compare_micro_batches(clip, store, objective)


def test_micro_batches_change_nothing_of_what_is_rebuilt(rebuilding, store):
    clip, settings = rebuilding
    whole, grads = compare_micro_batches(clip, store, "read", **settings)
    assert whole.terms["reconstruction"] > 1 and grads["decoder"].any()


def test_a_row_is_rebuilt_of_its_caption_as_the_text_that_was_drawn(rebuilding, store):
    clip, settings = rebuilding
    config = TrainConfig(objective="read", **settings)
    slots = slots_of(config, False)
    samples = [make_sample(store, index, 0, clip, slots, 0) for index in range(SIZE)]
    losses, counts = [], 0
    for sample in samples[:-1]:  # the last has no further captions
        tokens = clip.decoder.tokenize(sample.further["paraphrases"])
        vectors = clip.encode_tokens_raw(clip.tokenize(sample.texts[:1]))
        losses.append(clip.decoder(vectors, tokens))
        counts += tokens.numel()
    batch = collate(samples, slots, clip)
    batch.pixels = batch.pixels.double()
    thresholds = torch.zeros(len(store.threshold_names), dtype=torch.float64)
    outcome = forward_backward(clip, batch, config, thresholds)
    torch.testing.assert_close(outcome.terms["reconstruction"], sum(losses)[0].detach() / counts)


def compare_micro_batches(clip, store, objective, **settings):
    whole, expected = gradients(clip, store, objective, 0, **settings)
    assert "logit_scale" in expected and len(expected) > 40
    for micro_batch in (1, 3, 4, SIZE):
        outcome, grads = gradients(clip, store, objective, micro_batch, **settings)
        torch.testing.assert_close(outcome.loss, whole.loss, rtol=1e-9, atol=0)
        torch.testing.assert_close(outcome.thresholds, whole.thresholds, rtol=1e-9, atol=0)
        assert grads.keys() == expected.keys()
        for name, grad in grads.items():
            scale = expected[name].norm()
            assert (grad - expected[name]).norm() <= 1e-9 * scale, (micro_batch, name)
    return whole, expected


def test_pairs_of_one_image_are_contrasted_where_groups_are_none(clip, store):
    by_image, _ = gradients(clip, store, "clip", 0)
    as_papers, _ = gradients(clip, store, "clip", 0, groups="none")
    config = TrainConfig(objective="clip")
    samples = [
        make_sample(store, index, 0, clip, slots_of(config, False), 0) for index in range(SIZE)
    ]
    with torch.no_grad():
        images = clip.encode_images(torch.stack([sample.images[0] for sample in samples]).double())
        texts = clip.encode_captions([sample.texts[0] for sample in samples])
        logits = clip.logit_scale * images @ texts.T
    true = torch.arange(SIZE)
    plain = (F.cross_entropy(logits, true) + F.cross_entropy(logits.T, true)) / 2
    torch.testing.assert_close(as_papers.loss, plain)
    assert by_image.loss < as_papers.loss  # records 0 and 4 show one image


def test_randomness_is_repeated_in_the_second_pass(clip, store, monkeypatch):
    """With dropout, the second pass must see the features that the objective saw."""
    seen = []
    encode = clip.encode_images

    def noisy(pixels):
        features = encode(pixels)
        noise = torch.rand_like(features)
        seen.append((torch.is_grad_enabled(), noise))
        return features * noise

    monkeypatch.setattr(clip, "encode_images", noisy)
    gradients(clip, store, "clip", 3)
    first = [noise for with_graph, noise in seen if not with_graph]
    second = [noise for with_graph, noise in seen if with_graph]
    assert len(first) == len(second) == 2
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert not torch.equal(first[0], first[1])


def test_a_tower_without_gradients_is_not_run_again(clip, store, monkeypatch):
    calls = []
    encode = clip.encode_images
    monkeypatch.setattr(clip, "encode_images", lambda p: calls.append(len(p)) or encode(p))
    for parameter in clip.module.visual.parameters():
        parameter.requires_grad = False
    try:
        _, grads = gradients(clip, store, "clip", 2)
    finally:
        for parameter in clip.module.visual.parameters():
            parameter.requires_grad = True
    assert not any(name.startswith("visual") for name in grads)
    assert calls == [2, 2, 2, 2]  # three parts once, and one look at the first again


def test_rank_0_measures_once_how_texts_are_laid_out_and_all_take_that(store, monkeypatch):
    clip = load_clip("hnclip-tiny-vit", device="cpu")
    slots = slots_of(TrainConfig(), False)
    samples = [make_sample(store, index, 0, clip, slots, 0) for index in range(2)]
    batch = collate(samples, slots, clip)
    sent, chosen = [], Layout("groups", max_groups=2)
    monkeypatch.setattr(Ranks, "broadcast", lambda self, value: sent.append(value) or chosen)
    for _ in range(2):
        settle_layout(clip, batch, Ranks(1, 2))
    assert clip.layout == chosen
    assert sent == [None]
    clip.layout = None
    settle_layout(clip, batch)
    assert sent[1] == CPU_LAYOUT
