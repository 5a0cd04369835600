import contextlib
import dataclasses
import itertools
import json
import os
import signal
from pathlib import Path

import click
import numpy as np
import open_clip
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from hnclip_cli import console, validating
from hnclip_cli.cli import cli
from hnclip_cli.commands import train as command
from hnclip_cli.models.load import load_clip, save_clip
from hnclip_cli.training import checkpoints, trackers
from hnclip_cli.training.batches import batch_indices
from hnclip_cli.training.config import TrainConfig
from hnclip_cli.training.objectives import OBJECTIVES
from hnclip_cli.training.recipes import COUNTS, RECIPES, WITHOUT_FLAGS
from tests.conftest import parse_lines, to_lines
from tests.factories import make_records, with_further_texts
from tests.models.tiny_t5 import make_t5

# Growing the surface of the command is a decision, not an accident.
FLAGS = {
    "model", "pretrained", "preprocess_of", "device", "precision", "output", "image_root",
    "image_field", "caption_field",
    "remote_images", "background", "exif_orientation", "on_error", "plugin", "verbose", "quiet",
    "resume", "overwrite", "dry_run", "from_scratch", "log_time",
    "tensorboard", "wandb", "val", "others", "paper",
    *(field.name for field in dataclasses.fields(TrainConfig)),
}  # fmt: skip
# With --set, or from Python only.
FLAGS -= WITHOUT_FLAGS | COUNTS
FLAGS -= {"negative_images_per_caption"}


@pytest.fixture
def records(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    records = make_records(tmp_path)
    (tmp_path / "r.jsonl").write_bytes(to_lines(*records))
    return records


@pytest.fixture(scope="module")
def tiny_vit(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("vit") / "run")
    save_clip(load_clip("hnclip-tiny-vit", device="cpu", seed=1), folder)
    return folder


def train(*args, **options):
    model = [] if "--model" in args else ["--model", "hnclip-tiny"]
    command = ["train", *model, "--batch-size", "3", "-o", "run", *map(str, args)]
    return CliRunner().invoke(cli, command, **options)


def test_flags_are_the_settings_with_the_same_defaults():
    options = {p.name: p for p in command.train.params if isinstance(p, click.Option)}
    assert set(options) == FLAGS
    parent = cli.make_context("hnclip", [], resilient_parsing=True)
    arguments = ["--model", "m", "-o", "o"]
    values = command.train.make_context("train", arguments, parent=parent).params
    for field in dataclasses.fields(TrainConfig):
        if field.name in FLAGS - {"lr"}:  # resolved from the model
            assert values[field.name] == field.default, field.name
    assert len(values) <= 44


@pytest.mark.parametrize(
    ("flags", "trained"),
    [
        (["--lock", "text"], ["logit_scale", "visual"]),
        (["--lock", "text", "--lock", "image"], ["logit_scale"]),
        (["--lock", "text", "--lock", "text"], ["logit_scale", "visual"]),
    ],
    ids=str,
)
def test_a_tower_or_both_are_locked(records, tiny_vit, flags, trained):
    result = train("--steps", 1, "--lr", "1e-2", *flags, "r.jsonl", "--model", tiny_vit)
    assert result.exit_code == 0, result.stderr
    before = load_clip(tiny_vit, device="cpu").module.state_dict()
    after = load_clip("run", device="cpu").module.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert sorted(changed) == trained


def test_settings_of_a_paper_are_taken_where_no_flag_gives_another(records):
    flags = ["--paper", "--objective", "con-clip", "--dry-run", "r.jsonl"]
    result = train(*flags)
    assert result.exit_code == 0, result.stderr
    config = parse_lines(result.stdout_bytes)[0]["config"]
    assert (config["lock"], config["lr"], config["epochs"]) == ("image", 1e-6, 5)
    assert config["weight_decay"] == 0.2 and config["batch_size"] == 3  # which is given
    assert result.stderr == (
        "hnclip: --paper stands for --epochs 5 --lr 1e-06 --warmup-steps 50 "
        "--set weight_decay 0.2 --negatives-per-caption 1 --lock image\n"
    )
    result = train("--lock", "none", "--steps", 2, "--set", "weight_decay", 0, "--lr", 1e-3, *flags)
    config = parse_lines(result.stdout_bytes)[0]["config"]
    assert (config["lock"], config["lr"], config["epochs"]) == (None, 1e-3, None)
    assert (config["weight_decay"], config["steps"]) == (0, 2)


def test_not_every_objective_has_settings_of_a_paper(records):
    result = train("--paper", "--objective", "roesch", "r.jsonl")
    assert result.exit_code == 1
    assert "no settings of a paper are known for --objective roesch" in result.stderr


@pytest.mark.parametrize("objective", RECIPES)
def test_recipes_are_settings_of_objectives(objective):
    assert objective in OBJECTIVES
    config = TrainConfig(objective=objective, **RECIPES[objective])
    assert config.epochs or config.steps
    assert set(RECIPES[objective]) <= FLAGS | WITHOUT_FLAGS | COUNTS


def test_a_setting_is_given_once(records):
    result = train("--steps", 1, "--set", "lora_rank", 2, "--set", "lora_rank", 4, "r.jsonl")
    assert result.exit_code == 2 and "--set is given twice" in result.stderr


def test_it_writes_metrics_and_a_folder_that_open_clip_loads(records, tmp_path):
    result = train("--steps", 3, "--log-every", 1, "r.jsonl")
    assert result.exit_code == 0, result.stderr
    metrics = parse_lines(result.stdout_bytes)
    assert [line["step"] for line in metrics] == [1, 2, 3]
    assert {"loss", "contrastive", "imc", "cmr", "lr", "thresholds"} <= set(metrics[0])

    ours = load_clip("run", device="cpu")
    module, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{tmp_path / 'run'}")
    module.eval()
    pixels = preprocess(Image.open("0.png"))[None]
    tokens = open_clip.get_tokenizer(f"local-dir:{tmp_path / 'run'}")(["a red square"])
    with torch.inference_mode():
        image, text = module.encode_image(pixels), module.encode_text(tokens)
        for mine, other in (
            (ours.encode_images(pixels), image),
            (ours.encode_captions(["a red square"]), text),
        ):
            other = torch.nn.functional.normalize(other, dim=-1)
            np.testing.assert_allclose(mine.numpy(), other.numpy(), atol=1e-5)


def test_the_folder_says_how_it_was_made(records):
    train("--steps", 2, "--cmr-weight", 0.5, "--seed", 4, "--set", "grad_clip", 2, "r.jsonl")
    with open("run/hnclip_run.json") as stream:
        run = json.load(stream)
    assert run["step"] == 2
    assert run["config"]["cmr_weight"] == 0.5 and run["config"]["imc_weight"] == 0
    assert run["config"]["lr"] == 1e-3 and run["config"]["seed"] == 4
    assert run["config"]["grad_clip"] == 2
    assert set(run["thresholds"]) == {"replace-color", "replace-noun"}


def test_going_on_from_a_folder_is_fine_tuning(records):
    train("--steps", 1, "r.jsonl")
    result = CliRunner().invoke(
        cli,
        ["train", "--model", "run", "--steps", "1", "--batch-size", "3", "-o", "next", "r.jsonl"],
    )
    assert result.exit_code == 0, result.stderr
    with open("next/hnclip_run.json") as stream:
        assert json.load(stream)["config"]["lr"] == 5e-6


def test_a_pipe_and_a_file_give_the_same_bytes(records, tmp_path):
    by_file = train("--steps", 2, "r.jsonl")
    written = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    refused = train("--steps", 2, "r.jsonl")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "run: the folder holds a model; try another -o, or --overwrite" in refused.stderr
    by_pipe = train("--steps", 2, "--overwrite", input=to_lines(*records))
    assert by_pipe.stdout_bytes == by_file.stdout_bytes
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == written


@pytest.mark.parametrize(("on_error", "code"), [("fail", 1), ("skip", 3)])
def test_a_bad_record_ends_the_run_or_is_counted(records, tmp_path, on_error, code):
    bad = records[2] | {"caption": ""}
    data = to_lines(*records[:2], bad, *records[3:])
    result = train("--steps", 1, "--on-error", on_error, input=data)
    assert result.exit_code == code
    assert '-:3: field "caption" is empty' in result.stderr
    assert (tmp_path / "run").exists() == (code == 3)
    if code == 3:
        assert result.stderr.splitlines()[-2] != ""
        assert "hnclip: skipped 1 bad record" in result.stderr


def test_an_output_that_cannot_be_written_is_found(records, tmp_path):
    (tmp_path / "run").write_text("a file, not a folder")
    result = train("--steps", 1, "r.jsonl")
    assert result.exit_code == 1
    assert result.stderr.startswith("hnclip: run: ")
    assert "Traceback" not in result.stderr


def test_a_dry_run_says_what_it_would_cost_and_writes_nothing(records, tmp_path):
    result = train("--epochs", 3, "--dry-run", "r.jsonl")
    assert result.exit_code == 0, result.stderr
    (said,) = parse_lines(result.stdout_bytes)
    assert said["steps"] == 6 and said["config"]["objective"] == "hnclip"
    assert 5 < said["tokens_per_text"] < 12
    assert not (tmp_path / "run").exists()
    assert parse_lines(train("--epochs", 3, "--dry-run").stdout_bytes)[0]["steps"] is None


def test_validation_comes_at_the_start_at_checkpoints_and_at_the_end(records):
    result = train("--steps", 3, "--checkpoint-every", 2, "--val", "r.jsonl", "r.jsonl")
    assert result.exit_code == 0, result.stderr
    said = [line for line in parse_lines(result.stdout_bytes) if "val" in line]
    assert [line["step"] for line in said] == [0, 2, 3]
    for line in said:
        assert set(line["val"]) == {"accuracy", "by", "retrieval"}
        assert set(line["val"]["by"]["kind"]) == {"replace-color", "replace-noun"}
        assert 0 <= line["val"]["retrieval"]["image_to_text"]["R@1"] <= 1


def test_validation_is_that_of_the_pipe(records, tmp_path):
    said = parse_lines(train("--steps", 1, "--val", "r.jsonl", "r.jsonl").stdout_bytes)[-1]["val"]
    scored = CliRunner().invoke(cli, ["score", "--model", "run", "r.jsonl"]).stdout_bytes
    report = parse_lines(CliRunner().invoke(cli, ["eval"], input=scored).stdout_bytes)[0]
    assert said["accuracy"]["pair"] == report["accuracy"]["pair"]["value"]


def test_validation_does_not_change_the_run(records, tmp_path):
    train("--steps", 3, "r.jsonl")
    plain = (tmp_path / "run" / "open_clip_model.safetensors").read_bytes()
    train("--steps", 3, "--checkpoint-every", 1, "--val", "r.jsonl", "r.jsonl")
    assert (tmp_path / "run" / "open_clip_model.safetensors").read_bytes() == plain


def test_bad_records_to_validate_on_are_found_before_training(records, tmp_path):
    (tmp_path / "v.jsonl").write_bytes(b'{"image": "0.png"}\n')
    result = train("--steps", 1, "--val", "v.jsonl", "r.jsonl")
    assert result.exit_code == 1 and 'v.jsonl:1: missing field "caption"' in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_signal_ends_a_validation_too(records, tmp_path, monkeypatch):
    real = validating.embed

    def signaled(*args, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        return real(*args, **options)

    monkeypatch.setattr(validating, "embed", signaled)
    result = train("--objective", "ce-clip", "--steps", 1, "--val", "r.jsonl", "r.jsonl")
    assert (result.exit_code, result.stdout) == (75, "")
    assert result.stderr == "hnclip: stopped by a signal while validating; --resume goes on\n"


def test_a_signal_before_the_first_step_ends_it_at_once(records, tmp_path, monkeypatch):
    def signaled(*args, **options):
        os.kill(os.getpid(), signal.SIGUSR1)

    monkeypatch.setattr("hnclip_cli.training.run.load_clip", signaled)
    result = train("--steps", 1, "r.jsonl")
    assert result.exit_code == 75
    assert result.stderr == "hnclip: stopped by a signal before the first step; run it again\n"


@pytest.mark.parametrize(
    "more", [["--set", "lora_rank", 2], ["--lock", "text"], ["--set", "wise_ft", 0.5]]
)
def test_ways_to_keep_general_ability_train_and_load(records, tmp_path, more):
    train("--steps", 1, "--lr", 1e-9, "--warmup-steps", 0, "r.jsonl")
    start = load_clip("run", device="cpu")
    result = CliRunner().invoke(
        cli,
        ["train", "--model", "run", "--steps", "3", "--lr", "0.01", "--batch-size", "3", "-o",
         "next", "--val", "r.jsonl", *map(str, more), "r.jsonl"],
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    tuned = load_clip("next", device="cpu")
    assert tuned.module.state_dict().keys() == start.module.state_dict().keys()
    pixels = torch.ones(1, 3, 64, 64)
    assert not torch.equal(tuned.encode_images(pixels), start.encode_images(pixels))
    captions = [tuned.encode_captions(["a cat"]), start.encode_captions(["a cat"])]
    assert torch.equal(*captions) == ("--lock" in more)


def test_a_setting_that_counts_takes_whole_numbers(records):
    result = train("--steps", 1, "--set", "lora_rank", 2.5, "r.jsonl")
    assert result.exit_code == 2
    assert "--set lora_rank takes a whole number, got 2.5" in result.stderr


def test_after_a_bad_image_in_the_middle_the_run_goes_on_past_it(records, tmp_path):
    second = next(itertools.islice(batch_indices(len(records), 3, seed=0), 1, None))
    (tmp_path / records[second[0][0]]["image"]).write_bytes(b"no image")
    flags = ["--objective", "ce-clip", "--steps", 4, "--workers", 0]
    done = train(*flags, "r.jsonl")
    assert done.exit_code == 1
    saved, error = done.stderr.splitlines()
    assert saved == "hnclip: the state after step 1 is saved; --resume goes on"
    assert "image cannot be decoded" in error
    done = train(*flags, "--resume", "--on-error", "skip", "r.jsonl")
    assert done.exit_code == 3
    assert done.stderr.startswith("hnclip: going on after step 1\n")
    assert json.loads((tmp_path / "run" / "hnclip_run.json").read_text())["step"] == 4


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (["--batch-size", "auto", "--device", "cpu"], 1, "auto sizes need a CUDA device"),
        (["--batch-size", "3", "--micro-batch", "auto", "--device", "cpu"], 1, "need a CUDA"),
        (["--batch-size", "auto", "--micro-batch", "auto"], 2, "not for both"),
        (["--batch-size", "auto", "--dry-run"], 2, "not with --dry-run"),
        (["--batch-size", "-1"], 2, "-1 is not in the range x>=1"),
        (["--micro-batch", "automatic"], 2, "'automatic' is not a valid"),
    ],
    ids=str,
)
def test_auto_sizes_are_for_a_gpu_and_one_at_a_time(records, tiny_vit, flags, code, said):
    command = ["train", "--model", tiny_vit, "--steps", "1", "-o", "run", *flags, "r.jsonl"]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == code
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_decoder_is_trained_with_taken_up_again_and_not_written(records, tiny_vit):
    t5 = make_t5("t5")
    Path("r.jsonl").write_bytes(to_lines(*with_further_texts(records)))
    flags = ["--objective", "read", "--model", tiny_vit, "--log-every", 1, "r.jsonl"]
    alone = train("--steps", 1, *flags)
    assert "--objective read runs without its term reconstruction; try --decoder" in alone.stderr
    assert "reconstruction" not in parse_lines(alone.stdout_bytes)[0]
    flags += ["--decoder", t5, "--lr", "1e-3"]
    whole = train("--steps", 4, "--overwrite", *flags)
    assert whole.exit_code == 0, whole.stderr
    assert "runs without" not in whole.stderr
    lines = parse_lines(whole.stdout_bytes)
    assert lines[-1]["reconstruction"] < lines[0]["reconstruction"]
    expected = load_clip("run", device="cpu").module.state_dict()

    real = checkpoints.save_state

    def then_ended(*args, **options):
        real(*args, **options)
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "save_state", then_ended)
        ended = train("--steps", 4, "--overwrite", "--checkpoint-every", 2, *flags)
    assert ended.exit_code == 1
    rest = train("--steps", 4, "--checkpoint-every", 2, "--resume", *flags)
    assert rest.exit_code == 0, rest.stderr
    assert parse_lines(rest.stdout_bytes) == lines[2:]
    found = load_clip("run", device="cpu").module.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_decoder_is_counted_and_is_for_objectives_that_rebuild(records, tiny_vit):
    Path("r.jsonl").write_bytes(to_lines(*with_further_texts(records)))
    flags = ["--steps", 1, "--dry-run", "--model", tiny_vit, "r.jsonl", "--decoder", make_t5("t5")]
    result = train("--objective", "read", *flags)
    assert result.exit_code == 0, result.stderr
    plan = parse_lines(result.stdout_bytes)[0]
    without = parse_lines(train("--objective", "read", *flags[:-2]).stdout_bytes)[0]
    assert plan["memory_bytes"]["weights"] > without["memory_bytes"]["weights"]
    assert plan["flops_per_step"]["text"] > without["flops_per_step"]["text"]
    result = train("--objective", "clip", *flags)
    assert result.exit_code == 1
    assert "--objective clip rebuilds no captions; got --decoder" in result.stderr


def test_random_weights_of_a_name_are_asked_for(records):
    flags = ["--steps", 1, "r.jsonl", "--model"]
    result = train(*flags, "ViT-S-32")
    assert result.exit_code == 2 and "try --pretrained FILE, or --from-scratch" in result.stderr
    assert "try --pretrained openai, or" in train(*flags, "ViT-B-32").stderr
    result = train(*flags, "hnclip-tiny", "--from-scratch")  # which need not say it
    assert result.exit_code == 0, result.stderr
    assert train(*flags, "run", "--from-scratch", "-o", "next").exit_code == 2


def test_a_finished_run_stays_as_it_is(records, tmp_path):
    train("--steps", 2, "r.jsonl")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()}
    result = train("--steps", 2, "--resume", "--val", "r.jsonl", "r.jsonl")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "hnclip: run holds this run as it was finished after step 2\n"
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()} == before


@pytest.mark.parametrize("every", ["0m", "10 m", "m", "-1", "1.5", "nanm"])
def test_a_time_between_checkpoints_is_checked(records, every):
    assert train("--steps", 1, "--checkpoint-every", every, "r.jsonl").exit_code == 2


def test_checkpoints_come_by_the_clock_or_by_steps(records, tmp_path):
    flags = ["--steps", 3, "--keep", 9, "r.jsonl", "--checkpoint-every"]
    for every, expected in (("0.001s", [2, 3]), ("1h", [3]), ("1", [1, 2, 3])):
        result = train(*flags, every, "--overwrite")
        assert result.exit_code == 0, result.stderr
        kept = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
        assert kept == [f"step-{step:09d}" for step in expected]


def test_the_last_checkpoints_are_kept_and_the_best(records, tmp_path, monkeypatch):
    found = iter([0.9, 0.2, 0.7, 0.7, 0.1])
    monkeypatch.setattr(
        validating, "evaluate", lambda *_, **__: {"accuracy": {"pair": {"value": next(found)}}}
    )
    flags = ["--steps", 4, "--keep", 2, "--checkpoint-every", 1, "--lr", 0.01, "--warmup-steps", 0]
    result = train(*flags, "--val", "r.jsonl", "r.jsonl")
    assert result.exit_code == 0, result.stderr
    folder = tmp_path / "run"
    kept = sorted(path.name for path in (folder / "checkpoints").iterdir())
    assert kept == ["step-000000003", "step-000000004"]
    best = json.loads((folder / "best" / "hnclip_best.json").read_text())
    assert best == {"step": 2, "measure": "accuracy.pair", "value": 0.7}
    weights = [
        load_clip(str(path), device="cpu").module.state_dict()["text_projection"]
        for path in (folder / "best", folder / "checkpoints" / kept[0], folder)
    ]
    assert not any(torch.equal(weights[0], other) for other in weights[1:])
    last = folder / "checkpoints" / kept[1] / "open_clip_model.safetensors"
    assert last.samefile(folder / "open_clip_model.safetensors")
    steps = [json.loads((path / "hnclip_run.json").read_text())["step"]
             for path in (folder / "best", folder / "checkpoints" / kept[0])]  # fmt: skip
    assert steps == [2, 3]


def test_the_log_tells_the_time_where_that_is_asked_for(records):
    lines = parse_lines(train("--steps", 3, "--log-every", 1, "--log-time", "r.jsonl").stdout_bytes)
    assert all(line["time"].startswith("2") for line in lines)
    assert lines[-1]["samples_per_second"] > 0


def test_trackers_that_are_not_installed_are_named_before_anything_is_read(records, monkeypatch):
    monkeypatch.setattr(trackers, "find_spec", lambda package: None)
    for flags, name in ((["--tensorboard", "tb"], "tensorboard"), (["--wandb"], "wandb")):
        result = train("--steps", 1, *flags, "none.jsonl")
        assert result.stderr == (
            f"hnclip: --{name} needs the package {name}; try pip install 'hnclip[{name}]'\n"
        )


def test_trackers_get_the_log_and_the_terminal_each_step(records, monkeypatch):
    found, shown = [], []
    tracker = trackers.Tracker(lambda numbers, step: found.append((step, numbers)), list)
    monkeypatch.setattr(trackers, "find_spec", lambda package: package)
    monkeypatch.setattr(trackers, "tensorboard", lambda folder: tracker)
    monkeypatch.setattr(console, "live_line", lambda: contextlib.nullcontext(shown.append))
    result = train("--steps", 4, "--log-every", 2, "--tensorboard", "tb", "r.jsonl")
    assert result.exit_code == 0, result.stderr
    lines = parse_lines(result.stdout_bytes)
    assert [step for step, _ in found] == [2, 4]
    assert found[0][1]["loss"] == lines[0]["loss"]
    assert [line.partition(" |")[0] for line in shown] == [f"step {n} of 4" for n in (1, 2, 3, 4)]
