"""A residual head on frozen features: its loss in loops, its prompts, its run, its folder."""

import itertools
import json

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import load_file

from hnclip_cli.cli import cli
from hnclip_cli.errors import HnclipError
from hnclip_cli.models.heads import ResidualHead, save_head
from hnclip_cli.models.load import load_clip, save_clip
from hnclip_cli.models.noise import encode_with_noise
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.training.clap import TEMPLATES, Prompts, clap_loss
from hnclip_cli.training.config import TrainConfig
from tests.conftest import parse_lines, to_lines

NAMES = ["dog", "traffic_light", "egg"]


def nt_xent_in_loops(one, other, temperature, alike):
    """Of each view: −log of the chance of its other view among all that may be taken for it."""
    views = [*one, *other]
    size, losses = len(one), []
    for i, view in enumerate(views):
        partner = (i + size) % (2 * size)
        terms = {}
        for j, candidate in enumerate(views):
            if j == partner or not alike[i % size][j % size]:
                cosine = (view * candidate).sum() / (view.norm() * candidate.norm())
                terms[j] = (cosine / temperature).exp()
        losses.append(-(terms[partner] / sum(terms.values())).log())
    return sum(losses) / len(losses)


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [0, 1, 0, 2], [0, 0, 0, 0]])
@pytest.mark.parametrize("groups", ["image", "none"])
def test_the_loss_and_its_gradients_equal_loops(labels, groups):
    generator = torch.Generator().manual_seed(0)
    views = [
        torch.randn(4, 3, dtype=torch.float64, generator=generator, requires_grad=True)
        for _ in range(3)
    ]
    loss, terms = clap_loss(*views, torch.tensor(labels), groups)
    alike = [[i == j if groups == "none" else a == b for j, b in enumerate(labels)]
             for i, a in enumerate(labels)]  # fmt: skip
    prompts = nt_xent_in_loops(views[0], views[1], 0.5, alike)
    classes = nt_xent_in_loops(views[1], views[2], 1.0, alike)
    torch.testing.assert_close(loss, prompts + classes)
    assert terms["prompts"].item() == pytest.approx(prompts.item())
    for ours, theirs in zip(
        torch.autograd.grad(loss, views), torch.autograd.grad(prompts + classes, views),
        strict=True,
    ):  # fmt: skip
        torch.testing.assert_close(ours, theirs)


def test_prompts_say_the_same_in_another_style():
    prompts = Prompts.read([{"caption": name} for name in [*NAMES, "dog"]], ErrorPolicy())
    assert prompts.names == ["dog", "traffic light", "egg"]
    assert len(TEMPLATES) == 480 and len(prompts) == 3 * 480
    assert prompts.plain((0, 0)) == "a realistic painting of a large red dog"
    assert prompts.plain((480, 0)) == "a realistic painting of a large red traffic light"
    found = {prompts.changed((2 * 480 + 240, epoch), 0) for epoch in range(100)}
    style = "an impressionistic painting"
    things = ["a large red egg", "a large egg", "a red egg", "an egg"]
    orders = [f"{style} of {{}}", f"{{}} in {style} style"]
    assert found == {order.format(x) for order, x in itertools.product(orders, things)}
    with pytest.raises(HnclipError, match="too few classes; got 1 distinct captions"):
        Prompts.read([{"caption": "dog"}], ErrorPolicy())


def test_noise_is_among_the_embeddings_of_a_text():
    clip = load_clip("hnclip-tiny-vit", device="cpu")
    embedding, text = clip.module.token_embedding, clip.tokenize(["a dog", "a red egg"])
    seen = []
    hook = embedding.register_forward_hook(lambda _m, ids, out: seen.append(ids[0]))
    places = set()
    for seed in range(12):
        encode_with_noise(clip, text, str(seed))
        ids = seen[-1][0].tolist()
        assert [token for token in ids if token] == [token for token in text[0].tolist() if token]
        places.add(tuple(i for i, token in enumerate(ids[: ids.index(max(ids))]) if not token))
    hook.remove()
    assert places == {(1, 2, 3, 4), (1, 2, 5, 6), (3, 4, 5, 6)}
    with torch.no_grad():
        first, again = (encode_with_noise(clip, text, "3") for _ in range(2))
        assert torch.equal(first, again)
        assert not torch.allclose(first, clip.encode_tokens_raw(text))
        assert not torch.allclose(first, encode_with_noise(clip, text, "4"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model with weights, the names of classes, and a record to embed."""
    monkeypatch.chdir(tmp_path)
    save_clip(load_clip("hnclip-tiny-vit", device="cpu", seed=1), "model")
    (tmp_path / "names.jsonl").write_bytes(to_lines(*({"caption": name} for name in NAMES)))
    Image.new("RGB", (70, 64), "red").save("0.png")
    (tmp_path / "r.jsonl").write_bytes(to_lines({"image": "0.png", "caption": "a red dog"}))
    return tmp_path


def hnclip(*args):
    return CliRunner().invoke(cli, [str(arg) for arg in args])


def train(output, *args):
    return hnclip(
        "train", "--objective", "clap", "--model", "model", "--batch-size", 6, "--log-every", 1,
        "--lr", "1e-2", "-o", output, *args, "names.jsonl",
    )  # fmt: skip


def test_a_head_is_trained_and_embed_score_and_open_clip_use_it(folder):
    result = train("head", "--steps", 12)
    assert result.exit_code == 0, result.stderr
    log = parse_lines(result.stdout_bytes)
    assert log[-1]["loss"] < 0.9 * log[0]["loss"]
    assert log[0]["loss"] == pytest.approx(log[0]["prompts"] + log[0]["classes"])
    names = {path.name for path in (folder / "head").iterdir()}
    assert {"hnclip_head.json", "hnclip_head.safetensors"} < names
    assert "open_clip_model.safetensors" not in names

    # As docs/methods.md shows.
    weights = load_file("head/hnclip_head.safetensors")
    scale = json.loads((folder / "head/hnclip_head.json").read_text())["scale"]

    def head(z):
        hidden = F.linear(F.silu(z), weights["down.weight"], weights["down.bias"])
        return z + scale * F.linear(hidden, weights["up.weight"])

    module, _, preprocess = open_clip.create_model_and_transforms("local-dir:model")
    tokenizer = open_clip.get_tokenizer("local-dir:model")
    with torch.no_grad():
        image = module.eval().encode_image(preprocess(Image.open("0.png"))[None])
        text = module.encode_text(tokenizer(["a red dog"]))
        expected = [F.normalize(head(z), dim=-1) for z in (image, text)]
        plain = F.normalize(image, dim=-1)
    for of, row in zip(("image", "caption"), expected, strict=True):
        result = hnclip(
            "embed", "--of", of, "--model", "model", "--head", "head", "-o", "e.npy", "r.jsonl"
        )
        assert result.exit_code == 0, result.stderr
        np.testing.assert_allclose(np.load("e.npy"), row.numpy(), atol=1e-5)
    assert not torch.allclose(expected[0], plain, atol=1e-3)
    scored = hnclip("score", "--model", "model", "--head", "head", "r.jsonl")
    cosine = (expected[0] * expected[1]).sum().item()
    assert parse_lines(scored.stdout_bytes)[0]["scores"] == [[pytest.approx(cosine, abs=1e-5)]]
    off = ["--head", "head", "--head-scale", 0]
    embed = ["embed", "--of", "image", "--model", "model", "-o", "e.npy", "r.jsonl", *off]
    assert hnclip(*embed).exit_code == 0
    np.testing.assert_allclose(np.load("e.npy"), plain.numpy(), atol=1e-5)


def test_resuming_and_micro_batches_change_nothing(folder, monkeypatch):
    assert train("whole", "--steps", 5).exit_code == 0
    from hnclip_cli.training import clap

    real, calls = clap.clap_loss, []

    def third_fails(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(clap, "clap_loss", third_fails)
    assert train("part", "--steps", 5, "--checkpoint-every", 1).exit_code == 130
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    resumed = train("part", "--steps", 5, "--checkpoint-every", 1, "--resume")
    assert resumed.exit_code == 0, resumed.stderr
    assert [line["step"] for line in parse_lines(resumed.stdout_bytes)] == [3, 4, 5]
    assert train("parts", "--steps", 5, "--micro-batch", 2).exit_code == 0
    whole, part, parts = (
        load_file(f"{name}/hnclip_head.safetensors") for name in ("whole", "part", "parts")
    )
    for name, value in whole.items():
        assert torch.equal(value, part[name])
        torch.testing.assert_close(value, parts[name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["score", "--head", "model", "--model", "model"], "the folder holds no head"),
        (["score", "--head", "h", "--image-embeddings", "a", "--caption-embeddings", "b"],
         "--head needs --model"),
        (["score", "--head-scale", 1, "--model", "model"], "--head-scale needs --head"),
        (["embed", "--of", "image", "--head-scale", 1, "--model", "model"],
         "--head-scale needs --head"),
        (["train", "--objective", "clap", "--model", "model", "-o", "x", "--steps", 1, "--dry-run"],
         "does not work with --objective clap"),
        (["train", "--objective", "clap", "--model", "model", "-o", "x", "--steps", 1,
          "--lock", "text"], "trains a head, not the towers"),
        (["train", "--objective", "clap", "--model", "model", "-o", "x", "--steps", 1],
         "too few classes"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_in_a_line(folder, args, said):
    result = hnclip(*args, "r.jsonl")
    assert result.exit_code in (1, 2) and said in result.stderr


def test_a_head_of_another_width_and_a_damaged_one_are_refused(folder):
    assert train("head", "--steps", 1).exit_code == 0
    facts = folder / "head/hnclip_head.json"
    said = json.loads(facts.read_text())
    score = ["score", "--model", "model", "--head", "head", "r.jsonl"]
    for changed in (said | {"embed_dim": 7}, said | {"latent_dim": -1}, {}):
        facts.write_text(json.dumps(changed))
        result = hnclip(*score)
        assert result.exit_code == 1 and "the head cannot be read" in result.stderr
        assert result.stderr.count("\n") == 1
    facts.write_text(json.dumps(said))
    (folder / "head/hnclip_head.safetensors").write_bytes(b"nothing")
    assert "the head cannot be read" in hnclip(*score).stderr
    save_head(ResidualHead(7), "head")
    assert "a head for 7 features, expected one for 128" in hnclip(*score).stderr


def test_settings_of_towers_are_refused():
    with pytest.raises(HnclipError, match="trains a head"):
        TrainConfig(objective="clap", steps=1, lora_rank=2)
