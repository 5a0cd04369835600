import dataclasses
import io
import json
import resource

import pytest
import torch

from hnclip_cli.errors import HnclipError, Stopped
from hnclip_cli.models.load import load_clip, save_clip
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.training import checkpoints, loop
from hnclip_cli.training.checkpoints import Origin
from hnclip_cli.training.config import TrainConfig
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.store import RecordStore
from tests.conftest import to_lines
from tests.factories import make_records

pytestmark = pytest.mark.long
SETTINGS = {"steps": 7, "batch_size": 3, "lr": 1e-3, "warmup_steps": 2, "log_every": 1}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    data = to_lines(*make_records(folder))
    return RecordStore(RecordReader(io.BytesIO(data), "x.jsonl"), str(folder), ErrorPolicy())


def run(store, folder, *, stop_after=None, resume=False, seed=0, **settings):
    """Train as the command does; returns the state and the metrics."""
    config = TrainConfig(**(SETTINGS | settings))
    # Another seed for the weights: a state that is taken up must bring its own.
    state = checkpoints.start(load_clip("hnclip-tiny", device="cpu", seed=seed), store, config)
    origin = Origin(config, "hnclip-tiny", None, "fp32", store.digest, store.threshold_names)
    if resume:
        assert checkpoints.load_state(state, origin, str(folder))

    def save(finished):
        checkpoints.save_state(state, origin, str(folder), finished=finished)

    lines = []
    with pytest.raises(Stopped) if stop_after else io.BytesIO():
        for metrics in loop.train(
            state, store, config, policy=ErrorPolicy(), save=save,
            stop=lambda: state.step == stop_after,
        ):  # fmt: skip
            lines.append(metrics)
    return state, lines


@pytest.mark.parametrize("stop_after", [1, 2, 5])
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(store, tmp_path, stop_after):
    whole, lines = run(store, tmp_path / "whole")
    _, before = run(store, tmp_path / "part", stop_after=stop_after)
    resumed, after = run(store, tmp_path / "part", resume=True, seed=9)
    assert before + after == lines
    expected = whole.clip.module.state_dict()
    for name, value in resumed.clip.module.state_dict().items():
        assert torch.equal(value, expected[name]), name
    states = [(tmp_path / name / checkpoints.STATE_NAME).read_bytes() for name in ("whole", "part")]
    assert states[0] == states[1]


def test_a_finished_run_has_nothing_left_to_do(store, tmp_path):
    run(store, tmp_path)
    state, lines = run(store, tmp_path, resume=True)
    assert state.step == 7 and lines == []


def test_without_a_state_there_is_nothing_to_take_up(store, tmp_path):
    config = TrainConfig(**SETTINGS)
    state = checkpoints.start(load_clip("hnclip-tiny", device="cpu"), store, config)
    assert not checkpoints.load_state(
        state, Origin(config, "m", None, "fp32", "d", []), str(tmp_path)
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": 1e-2}, "another --lr; got 0.01, expected 0.001"),
        ({"negatives_per_caption": 1}, "another --negatives-per-caption"),
        ({"cmr_weight": 0.4}, "another --cmr-weight"),
        ({"workers": 0, "log_every": 3, "micro_batch": 0, "checkpoint_every": 9}, None),
    ],
)
def test_a_state_is_taken_up_with_its_own_settings_only(store, tmp_path, change, message):
    run(store, tmp_path, stop_after=2)
    if message:
        with pytest.raises(HnclipError, match=message):
            run(store, tmp_path, resume=True, **change)
    else:
        run(store, tmp_path, resume=True, **change)


@pytest.mark.parametrize(
    ("field", "what"),
    [
        ("model", "--model"),
        ("data", "records"),
        ("precision", "--precision"),
        ("preprocess_of", "--preprocess-of"),
    ],
)
def test_a_state_belongs_to_its_model_and_records(store, tmp_path, field, what):
    run(store, tmp_path, stop_after=1)
    config = TrainConfig(**SETTINGS)
    origin = Origin(config, "hnclip-tiny", None, "fp32", store.digest, store.threshold_names)
    origin = dataclasses.replace(origin, **{field: "other"})
    state = checkpoints.start(load_clip("hnclip-tiny", device="cpu"), store, config)
    with pytest.raises(HnclipError, match=f"other {what}; got other"):
        checkpoints.load_state(state, origin, str(tmp_path))


def test_an_unfinished_run_is_not_written_over(store, tmp_path):
    checkpoints.check_folder(str(tmp_path), resume=False, model="m")
    run(store, tmp_path, stop_after=1)
    with pytest.raises(HnclipError, match="a run that is not finished; try --resume"):
        checkpoints.check_folder(str(tmp_path), resume=False, model="m")
    checkpoints.check_folder(str(tmp_path), resume=True, model="m")
    checkpoints.check_folder(str(tmp_path), resume=False, model="m", overwrite=True)
    run(store, tmp_path, resume=True)
    with pytest.raises(HnclipError, match="holds a model; try another -o, or --overwrite"):
        checkpoints.check_folder(str(tmp_path), resume=False, model="m")


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize(
    "name", ["open_clip_config.json", "model.safetensors", "epoch_3.pt", "m.gguf"]
)
def test_a_model_of_others_is_not_written_over(tmp_path, name, resume):
    (tmp_path / "log.jsonl").touch()
    checkpoints.check_folder(str(tmp_path), resume=resume, model="m")
    (tmp_path / name).touch()
    with pytest.raises(HnclipError, match="holds a model; try another -o, or --overwrite"):
        checkpoints.check_folder(str(tmp_path), resume=resume, model="m")
    checkpoints.check_folder(str(tmp_path), resume=resume, model="m", overwrite=True)


def test_what_a_run_of_ours_left_before_its_first_state_is_taken_up(tmp_path):
    (tmp_path / checkpoints.RUN_NAME).touch()
    (tmp_path / "open_clip_model.safetensors").touch()
    checkpoints.check_folder(str(tmp_path), resume=True, model="m")


def test_folders_that_cannot_hold_a_run_are_refused_before_it(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for folder in ("file", "file/run"):
        with pytest.raises(HnclipError, match="cannot write checkpoints here"):
            checkpoints.check_folder(str(tmp_path / folder), resume=False, model="m")
    checkpoints.check_folder(str(tmp_path / "new" / "run"), resume=False, model="m")
    with pytest.raises(HnclipError, match="-o is the folder of --model"):
        checkpoints.check_folder(f"{tmp_path}/.", resume=True, model=str(tmp_path))


def test_links_in_the_folder_are_replaced_not_followed(store, tmp_path):
    dear, folder = tmp_path / "dear", tmp_path / "run"
    dear.write_bytes(b"dear")
    folder.mkdir()
    names = (checkpoints.STATE_NAME, "open_clip_model.safetensors", "open_clip_config.json")
    for name in names:
        (folder / name).symlink_to(dear)
    run(store, folder, steps=1)
    save_clip(load_clip("hnclip-tiny", device="cpu"), str(folder))
    assert not any((folder / name).is_symlink() for name in names)
    assert dear.read_bytes() == b"dear"


def test_a_full_disk_leaves_the_state_of_before_and_is_named(store, tmp_path):
    run(store, tmp_path, stop_after=1)
    path = tmp_path / checkpoints.STATE_NAME
    before = path.read_bytes()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limit[1]))
    try:
        with pytest.raises(HnclipError, match=f"^{path}: cannot write it"):
            run(store, tmp_path, resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert (tmp_path / checkpoints.STATE_NAME).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [checkpoints.STATE_NAME]


def test_a_checkpoint_says_how_it_was_made(store, tmp_path):
    config = TrainConfig(**SETTINGS)
    state = checkpoints.start(load_clip("hnclip-tiny", device="cpu"), store, config)
    origin = Origin(config, "hnclip-tiny", None, "fp32", store.digest, store.threshold_names)
    checkpoints.save_checkpoint(state.clip, state, origin, str(tmp_path))
    said = json.loads((tmp_path / checkpoints.RUN_NAME).read_bytes())
    assert said["config"]["imc_weight"] == 0 and said["data"] == store.digest
    assert said["thresholds"] == {"replace-color": 0.0, "replace-noun": 0.0}
    load_clip(str(tmp_path), device="cpu")


def test_one_process_agrees_with_itself(store):
    config = TrainConfig(**SETTINGS)
    state = checkpoints.start(load_clip("hnclip-tiny", device="cpu"), store, config)
    checkpoints.check_same(state, Ranks())
