"""What a run leaves behind: the model, how it was made, and the state to go on from."""

import json
import os
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

from hnclip_cli import __version__
from hnclip_cli.errors import HnclipError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.heads import save_head
from hnclip_cli.models.load import save_clip
from hnclip_cli.streams.outputs import atomic_output, naming
from hnclip_cli.training.config import AUTO, TrainConfig
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.optimizer import make_optimizer, max_log_scale
from hnclip_cli.training.run_folder import RUN_NAME as RUN_NAME
from hnclip_cli.training.run_folder import STATE_NAME as STATE_NAME
from hnclip_cli.training.run_folder import check_folder as check_folder
from hnclip_cli.training.run_folder import read_metadata
from hnclip_cli.training.state_file import check_tensors, read_state, write_state
from hnclip_cli.training.store import RecordStore

DECODER_LAYER = "decoder.layer.weight"
MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # of AdamW, for each parameter

# What else a run that is taken up again must share, as messages name it.
FACTS = {
    "records": "data", "--model": "model", "--pretrained": "pretrained",
    "--preprocess-of": "preprocess_of", "--precision": "precision",
    "--background or --exif-orientation": "images",
}  # fmt: skip
# Settings that may change when a run is taken up again: they do not change its outcome.
FREE_SETTINGS = {"workers", "log_every", "checkpoint_every", "keep", "micro_batch"}


@dataclass
class State:
    """Everything that changes while a model is trained."""

    clip: Clip
    optimizer: torch.optim.Optimizer  # with its moments
    thresholds: Tensor  # (num_kinds,), the adaptive thresholds θ
    max_log_scale: float  # that training may reach; of the model that it starts from
    step: int = 0  # optimizer steps done
    # Batches drawn; more than the steps where none of a batch's images could be decoded.
    position: int = 0
    elapsed: float = 0.0  # seconds of training
    finished: bool = False


@dataclass(frozen=True)
class Origin:
    """What a run is made from; a state is taken up by the same run only."""

    config: TrainConfig
    model: str  # what ``--model`` named
    pretrained: str | None  # what ``--pretrained`` named
    precision: str  # of the forward and backward passes
    data: str  # digest of the records
    threshold_names: list[str]  # what each threshold is of
    images: str | None = None  # how images are read, where not as open_clip does
    preprocess_of: str | None = None  # what ``--preprocess-of`` named

    def as_dict(self) -> dict[str, Any]:
        facts = {name: getattr(self, name) for name in FACTS.values()}
        return facts | {"config": self.config.resolved()}


def start(clip: Clip, store: RecordStore, config: TrainConfig) -> State:
    """The state before the first step."""
    thresholds = torch.zeros(max(1, len(store.threshold_names)), device=clip.device)
    optimizer = make_optimizer(clip.parameters, config.lr, config.weight_decay)
    return State(clip, optimizer, thresholds, max_log_scale(clip.module))


def save_state(state: State, origin: Origin, folder: str, *, finished: bool) -> None:
    """Write the state as one file; randomness is not in it: every step draws from its own number.

    Raises:
        HnclipError: the folder cannot be written.
    """
    tensors = _weights(state) | _moments(state)
    metadata = origin.as_dict() | {
        "step": state.step,
        "position": state.position,
        # Clock times would make two equal runs differ.
        "elapsed": state.elapsed if origin.config.seconds else 0,
        "finished": finished,
    }
    with naming(folder):
        os.makedirs(folder, exist_ok=True)
    with atomic_output(os.path.join(folder, STATE_NAME), follow_links=False) as stream:
        write_state(stream, metadata, tensors)


def load_state(state: State, origin: Origin, folder: str) -> bool:
    """Take up a folder's state, in place; False for none, `HnclipError` for that of another run."""
    path = os.path.join(folder, STATE_NAME)
    if not os.path.exists(path):
        return False
    metadata, tensors = read_state(path)
    _check_origin(metadata, origin.as_dict(), path)
    with_moments = {name.split(".")[1] for name in tensors if name.startswith("optimizer.")}
    moments = {
        f"optimizer.{number}.{field}": torch.zeros(()) if field == "step" else parameter
        for number, parameter in enumerate(_trained(state))
        if str(number) in with_moments
        for field in MOMENTS
    }
    if metadata["step"] > 0 and not moments:
        raise HnclipError(
            "the state has no moments of the optimizer",
            where=path,
            hint="--overwrite in place of --resume to start over, or another -o",
        )
    check_tensors(path, tensors, _weights(state) | moments)

    weights = {name: tensors[f"model.{name}"] for name in state.clip.module.state_dict()}
    state.clip.module.load_state_dict(weights)
    if state.clip.decoder is not None:
        state.clip.decoder.layer.load_state_dict({"weight": tensors[DECODER_LAYER]})
    found: dict[int, dict[str, Tensor]] = {}
    for name in moments:
        _, number, field = name.split(".")
        found.setdefault(int(number), {})[field] = tensors[name]
    groups = state.optimizer.state_dict()["param_groups"]
    state.optimizer.load_state_dict({"state": found, "param_groups": groups})
    state.thresholds = tensors["thresholds"].to(state.thresholds.device)
    state.step, state.position = metadata["step"], metadata["position"]
    state.elapsed, state.finished = metadata["elapsed"], metadata["finished"]
    return True


def with_saved_sizes(config: TrainConfig, folder: str) -> TrainConfig:
    """The settings with sizes of the run whose state a folder holds, if any, in place of `AUTO`."""
    path = os.path.join(folder, STATE_NAME)
    if not os.path.exists(path):
        return config
    saved, sizes = read_metadata(path)["config"], (config.batch_size, config.micro_batch)
    batch_size, micro_batch = (
        saved[name] if size == AUTO else size
        for name, size in zip(("batch_size", "micro_batch"), sizes, strict=True)
    )
    return replace(config, batch_size=batch_size, micro_batch=micro_batch)


def _weights(state: State) -> dict[str, Tensor]:
    """What every state of this model holds, as the file names it."""
    weights = {f"model.{name}": value for name, value in state.clip.module.state_dict().items()}
    if state.clip.decoder is not None:
        weights[DECODER_LAYER] = state.clip.decoder.layer.weight.detach()
    return weights | {"thresholds": state.thresholds}


def _moments(state: State) -> dict[str, Tensor]:
    """AdamW's, of the parameters that had a gradient so far."""
    return {
        f"optimizer.{number}.{field}": value
        for number, values in state.optimizer.state_dict()["state"].items()
        for field, value in values.items()
    }


def _trained(state: State) -> list[Tensor]:
    """The parameters as AdamW numbers them."""
    return [parameter for group in state.optimizer.param_groups for parameter in group["params"]]


def save_checkpoint(clip: Clip, state: State, origin: Origin, folder: str) -> None:
    """Write what `Export` makes of the model as ``local-dir``, and ``hnclip_run.json`` beside it.

    Of a model with a head, the head alone.

    Raises:
        HnclipError: the folder cannot be written.
    """
    run = {
        "step": state.step,
        "thresholds": dict(zip(origin.threshold_names, state.thresholds.tolist(), strict=False)),
        **origin.as_dict(),
        "versions": {
            "hnclip": __version__,
            "open_clip": version("open_clip_torch"),
            "torch": str(torch.__version__),
        },
    }
    with naming(folder):
        os.makedirs(folder, exist_ok=True)
    # First, because `check_folder` knows by it what this run may write over.
    with atomic_output(os.path.join(folder, RUN_NAME), follow_links=False) as stream:
        stream.write(json.dumps(run, indent=2).encode() + b"\n")
    if clip.head is not None:
        save_head(clip.head, folder)
    else:
        save_clip(clip, folder)


def check_same(state: State, ranks: Ranks) -> None:
    """Raises HnclipError where not all ranks start alike."""
    weights = sum(float(p.detach().double().sum()) for p in state.clip.parameters)
    numbers = torch.tensor([state.step, state.position, weights], dtype=torch.float64)
    if not torch.equal(ranks.max(numbers), -ranks.max(-numbers)):
        raise HnclipError(
            "the processes of this run do not start from the same weights or step",
            hint="-o and --model on a file system that all nodes share",
        )


def _check_origin(found: dict[str, Any], expected: dict[str, Any], path: str) -> None:
    facts = {f"other {what}": (found.get(name), expected[name]) for what, name in FACTS.items()}
    facts |= {
        f"another --{name.replace('_', '-')}": (found["config"].get(name), value)
        for name, value in expected["config"].items()
        if name not in FREE_SETTINGS
    }
    for what, (before, now) in facts.items():
        if before != now:
            raise HnclipError(
                f"this run was started with {what}",
                where=path,
                got=str(now),
                expected=str(before),
                hint="the command that started it, or a new folder with -o",
            )
