"""A run from Python: what the command does over records that are dicts."""

import json
import math
from dataclasses import replace

import open_clip
import pytest
import torch

import hnclip_cli as hnclip
from hnclip_cli.errors import HnclipError, Stopped
from hnclip_cli.models.load import load_clip, save_clip
from hnclip_cli.scoring.score import logits_of
from hnclip_cli.training import run
from hnclip_cli.training.stopping import StopSignals
from tests.factories import make_records

SETTINGS = {"steps": 2, "batch_size": 3, "lr": 1e-3, "log_every": 1}


def test_records_are_dicts_and_metrics_are_handed_on(tmp_path):
    records, lines, notes = make_records(tmp_path), [], []
    trained = hnclip.train(
        iter(records), hnclip.TrainConfig(**SETTINGS), model="hnclip-tiny",
        output=str(tmp_path / "run"), image_root=str(tmp_path), device="cpu",
        on_metrics=lines.append, note=notes.append,
        validate=hnclip.validation(records, image_root=str(tmp_path)),
    )  # fmt: skip
    assert [line["step"] for line in lines] == [0, 1, 2, 2]
    assert set(lines[0]["val"]) == {"accuracy", "by", "retrieval"}
    assert (trained.step, trained.num_skipped, trained.rank) == (2, 0, 0)
    assert notes[-1].startswith(f"wrote {tmp_path / 'run'}")
    written = hnclip.load(str(tmp_path / "run"), device="cpu")
    pixels = torch.ones(1, 3, 64, 64)
    assert torch.equal(written.encode_images(pixels), trained.clip.encode_images(pixels))


def test_a_model_that_is_given_is_trained(tmp_path):
    clip = hnclip.load("hnclip-tiny", device="cpu")
    before = clip.module.text_projection.detach().clone()
    options = {"model": clip, "output": str(tmp_path / "run"), "image_root": str(tmp_path)}
    trained = hnclip.train(make_records(tmp_path), hnclip.TrainConfig(**SETTINGS), **options)
    assert trained.clip is clip and not torch.equal(clip.module.text_projection, before)
    said = json.loads((tmp_path / "run" / "hnclip_run.json").read_bytes())
    assert said["model"].startswith("Clip ") and said["precision"] == "fp32"


@pytest.fixture
def sigmoid_model(tmp_path):
    """A folder with a model as SigLIP's are: a bias, and a scale above CLIP's largest."""
    config = load_clip("hnclip-tiny-vit", device="cpu").model_config
    config |= {"init_logit_bias": -16.5, "init_logit_scale": math.log(117.3)}
    config |= {"nonscalar_logit_scale": True}
    clip = load_clip("hnclip-tiny-vit", device="cpu")
    module = open_clip.CLIP(**config)
    module.visual.preprocess_cfg = clip.module.visual.preprocess_cfg
    save_clip(replace(clip, module=module, model_config=config), str(tmp_path / "sigmoid"))
    return str(tmp_path / "sigmoid")


def test_a_loaded_scale_above_100_and_a_bias_are_kept(tmp_path, sigmoid_model):
    notes, lines = [], []
    for resume in (False, True):
        trained = hnclip.train(
            make_records(tmp_path), hnclip.TrainConfig(**SETTINGS), model=sigmoid_model,
            output=str(tmp_path / "run"), image_root=str(tmp_path), device="cpu", resume=resume,
            note=notes.append, on_metrics=lines.append,
        )  # fmt: skip
    assert all(116 < line["logit_scale"] <= 117.31 for line in lines)
    written = hnclip.load(str(tmp_path / "run"), device="cpu")
    assert written.logit_bias.item() == trained.clip.logit_bias.item() == -16.5
    assert logits_of(written).bias == -16.5 and 116 < logits_of(written).scale <= 117.31
    assert "does not train the model's logit_bias, -16.5" in notes[0]


def test_a_sigmoid_objective_trains_the_bias(tmp_path, sigmoid_model):
    found = {}
    for name, model, lora_rank in [
        ("loaded", sigmoid_model, 0), ("lora", sigmoid_model, 2), ("new", "hnclip-tiny-vit", 0)
    ]:  # fmt: skip
        config = hnclip.TrainConfig(objective="siglip-hn", lora_rank=lora_rank, **SETTINGS)
        lines, notes = [], []
        hnclip.train(
            make_records(tmp_path), config, model=model, output=str(tmp_path / name),
            image_root=str(tmp_path), device="cpu", note=notes.append, on_metrics=lines.append,
        )  # fmt: skip
        assert not any("logit_bias" in note for note in notes)
        module = open_clip.create_model(f"local-dir:{tmp_path / name}")
        assert module.logit_bias.item() == lines[-1]["logit_bias"]
        assert lines[0].keys() > {"sigmoid", "imc", "cmr", "thresholds"}
        found[name] = lines[-1]["logit_bias"]
    assert found["loaded"] != -16.5 == pytest.approx(found["loaded"], abs=0.01)
    assert found["lora"] != -16.5 == pytest.approx(found["lora"], abs=0.01)
    assert found["new"] != -10 == pytest.approx(found["new"], abs=0.01)


def test_a_sigmoid_objective_needs_a_bias(tmp_path):
    save_clip(load_clip("hnclip-tiny-vit", device="cpu"), str(tmp_path / "model"))
    config = hnclip.TrainConfig(objective="siglip", **SETTINGS)
    with pytest.raises(HnclipError, match="siglip trains a logit_bias, and the model has none"):
        hnclip.train(
            make_records(tmp_path), config, model=str(tmp_path / "model"),
            output=str(tmp_path / "run"), image_root=str(tmp_path), device="cpu",
        )  # fmt: skip


@pytest.mark.parametrize("settings", [{}, {"steps": 1, "epochs": 1}])
def test_the_length_of_a_run_is_said_once(tmp_path, settings):
    config = hnclip.TrainConfig(**settings)
    with pytest.raises(HnclipError, match="one of steps, epochs and seconds"):
        hnclip.train([], config, model="hnclip-tiny", output=str(tmp_path))


def test_an_objective_that_is_not_there_is_named(tmp_path):
    config = hnclip.TrainConfig(steps=1, batch_size=1, objective="clup")
    with pytest.raises(HnclipError, match="no such objective; got clup, expected one of hnclip, "):
        hnclip.train(
            make_records(tmp_path), config, model="hnclip-tiny", output=str(tmp_path / "run"),
            image_root=str(tmp_path),
        )  # fmt: skip


def test_a_log_that_cannot_be_written_stops_the_run_and_is_named():
    def full(line):
        raise HnclipError("no space left")

    def metrics():
        yield {"step": 1}
        assert stop()
        yield {"step": 2}
        raise Stopped("with the state saved")

    stop = StopSignals()
    with pytest.raises(HnclipError, match="no space left"):
        run._hand_on(metrics(), full, stop)


def test_negatives_that_the_model_does_not_tell_apart_are_counted(tmp_path):
    records, notes = make_records(tmp_path), []
    long = "word " * 100
    for record in records:
        record["caption"] = f"{long}red"
        record["negatives"] = [{"caption": f"{text}", "kind": "x"} for text in (f"{long}blue", "b")]
    config = hnclip.TrainConfig(**SETTINGS, objective="ce-clip", negatives_per_caption=2)
    hnclip.train(
        records, config, model="hnclip-tiny", output=str(tmp_path / "run"),
        image_root=str(tmp_path), device="cpu", note=notes.append,
    )  # fmt: skip
    line = "6 of 12 negatives that were drawn have the same tokens as their captions"
    assert notes[0] == f"{line}, and were left out"
