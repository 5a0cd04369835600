"""A state that is not as it was written is refused, and says what to do."""

import json
import math
import os
import re
import shutil
import zlib
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from hnclip_cli.errors import HnclipError
from hnclip_cli.training import checkpoints
from hnclip_cli.training.checkpoints import STATE_NAME, Origin
from hnclip_cli.training.config import TrainConfig
from hnclip_cli.training.run_folder import read_metadata
from hnclip_cli.training.state_file import read_state, write_state

ORIGIN = Origin(TrainConfig(steps=3), "m", None, "fp32", "data", ["swap-noun"])


class Store:
    threshold_names = ORIGIN.threshold_names


def fresh():
    module = torch.nn.ModuleDict({"visual": torch.nn.Linear(8, 4), "text": torch.nn.Linear(8, 4)})
    module.logit_scale = torch.nn.Parameter(torch.zeros(()))
    parameters = list(module.parameters())
    clip = SimpleNamespace(
        module=module, parameters=parameters, decoder=None, device=torch.device("cpu")
    )
    return checkpoints.start(clip, Store, ORIGIN.config)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with the state after one step."""
    folder = tmp_path_factory.mktemp("state")
    state = fresh()
    for parameter in state.clip.module.parameters():
        parameter.grad = torch.ones_like(parameter)
    state.optimizer.step()
    state.step = state.position = 1
    checkpoints.save_state(state, ORIGIN, str(folder), finished=False)
    return folder


@pytest.fixture
def path(written, tmp_path):
    return shutil.copy(written / STATE_NAME, tmp_path)


def refusal(path):
    with pytest.raises(HnclipError) as caught:
        checkpoints.load_state(fresh(), ORIGIN, os.path.dirname(path))
    said = str(caught.value)
    assert said.startswith(path) and "; try " in said and len(said) < 400
    return said


def rewrite(path, tensors=None, **changes):
    """Write the state again, with checksums that are right."""
    metadata, before = read_state(path)
    with open(f"{path}.new", "wb") as stream:  # the tensors are mapped from the file itself
        write_state(stream, metadata | changes, before if tensors is None else tensors)
    os.replace(f"{path}.new", path)


def test_a_state_that_was_not_touched_is_taken_up(path):
    state = fresh()
    assert checkpoints.load_state(state, ORIGIN, os.path.dirname(path))
    assert state.step == 1 and len(state.optimizer.state) > 0


@pytest.mark.parametrize("content", [b"", b"no state", b"\x08\0\0\0\0\0\0\0{}      ", b"\xff" * 99])
def test_what_is_no_state(tmp_path, content):
    path = tmp_path / STATE_NAME
    path.write_bytes(content)
    assert "the state cannot be resumed" in refusal(str(path))
    with pytest.raises(HnclipError, match="cannot be resumed"):
        checkpoints.check_folder(str(tmp_path), resume=False, model="m")


def test_a_model_is_no_state(tmp_path):
    save_file({"weight": torch.ones(3)}, tmp_path / STATE_NAME)
    assert "no 'hnclip'" in refusal(str(tmp_path / STATE_NAME))


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / STATE_NAME)
    with pytest.raises(HnclipError, match="not a file; got a named pipe"):
        checkpoints.load_state(fresh(), ORIGIN, str(tmp_path))


@pytest.mark.parametrize("part", [0.1, 0.5, 0.999])
def test_a_cut_state_is_damaged(path, part):
    os.truncate(path, int(os.path.getsize(path) * part))
    assert "the state cannot be resumed" in refusal(path)


@pytest.mark.parametrize("part", [0.001, 0.3, 0.7, 0.99])
def test_a_changed_byte_is_noticed(path, part):
    with open(path, "r+b") as stream:
        stream.seek(int((os.path.getsize(path) - 1) * part))
        byte = stream.read(1)[0]
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes([byte ^ 1]))
    assert "the state cannot be resumed" in refusal(path)


@pytest.mark.parametrize("name", ["thresholds", "optimizer.0.exp_avg", "optimizer", "model"])
def test_missing_tensors_are_noticed(path, name):
    with safe_open(path, "pt") as stream:
        header = stream.metadata()
    left = {key: value for key, value in load_file(path).items() if not key.startswith(name)}
    save_file(left, path, header)
    assert "the checksum of its tensors is another" in refusal(path)


def test_an_edited_description_is_noticed(path):
    with safe_open(path, "pt") as stream:
        said = stream.metadata()["hnclip"]
    save_file(load_file(path), path, {"hnclip": said.replace('"step": 1', '"step": 9')})
    assert "its checksum is another" in refusal(path)
    with pytest.raises(HnclipError, match="its checksum is another"):
        read_metadata(path)


VALUES = {
    "step": [-1, 10**30, 1.5, None, "1"], "position": [0, -5, [], 10**30],
    "elapsed": [-1.0, math.nan, math.inf, "x"], "finished": [1, None], "config": [[], None],
    "model": [5], "data": [None], "precision": [[]],
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field in VALUES for value in VALUES[field]], ids=str
)
def test_values_that_no_state_has_are_refused_with_a_right_checksum_too(path, field, value):
    rewrite(path, **{field: value})
    assert "the state cannot be resumed" in refusal(path)


@pytest.mark.parametrize("said", ["[]", "5", "{}", "[" * 9999, '{"step": 1' + "0" * 5000 + "}"])
def test_descriptions_that_are_none_are_refused_with_a_right_checksum_too(path, said):
    header = {"hnclip": f"{zlib.crc32(said.encode()):08x} {said}"}
    save_file(load_file(path), path, header)
    assert "the state cannot be resumed" in refusal(path)


def test_a_state_has_the_tensors_of_its_model_and_moments(path):
    _, tensors = read_state(path)
    some = next(name for name in tensors if name.startswith("model.visual"))
    for changed in (
        {name: value for name, value in tensors.items() if name != some},
        tensors | {some: torch.ones(3)},
        tensors | {"model.other": torch.ones(3)},
        tensors | {"thresholds": torch.ones(7)},
        tensors | {"optimizer.9999.exp_avg": torch.ones(3)},
        tensors | {"optimizer.0.other": torch.ones(3)},
        tensors | {"optimizer.x": torch.ones(3)},
        {name: value for name, value in tensors.items() if name != "optimizer.0.exp_avg"},
    ):
        rewrite(path, changed)
        assert "the state is not of this model: its" in refusal(path)
    weights = {name: value for name, value in tensors.items() if "optimizer" not in name}
    rewrite(path, weights)
    with pytest.raises(HnclipError, match="the state has no moments"):
        checkpoints.load_state(fresh(), ORIGIN, os.path.dirname(path))


def test_the_same_state_is_the_same_bytes(path, tmp_path):
    metadata, tensors = read_state(path)
    for _ in range(3):
        with open(tmp_path / "again", "wb") as stream:
            write_state(stream, metadata, tensors)
        assert (tmp_path / "again").read_bytes() == open(path, "rb").read()
    assert re.fullmatch("[0-9a-f]{8}", json.loads(json.dumps(metadata))["tensors"])
