"""The folder of a run, as far as it is known without torch."""

import fnmatch
import json
import math
import os
import zlib
from typing import Any

from hnclip_cli.errors import HnclipError
from hnclip_cli.known import CONFIG_NAME
from hnclip_cli.saying import shown
from hnclip_cli.streams.files import open_regular

RUN_NAME = "hnclip_run.json"
STATE_NAME = "hnclip_state.safetensors"
WEIGHTS = (
    "*.safetensors", "*.bin", "*.pt", "*.pth", "*.ckpt", "*.gguf", "*.h5", "*.msgpack", "*.onnx",
)  # fmt: skip
MAX_STEPS = 1 << 53  # what a JSON number holds exactly


Metadata = dict[str, Any]

_TYPES: dict[str, type | tuple[type, ...]] = {
    "model": str, "pretrained": (str, type(None)), "precision": str, "data": str, "config": dict,
    "step": int, "position": int, "elapsed": (int, float), "finished": bool,
}  # fmt: skip


def check_folder(folder: str, *, resume: bool, model: str, overwrite: bool = False) -> None:
    """Refuse what would only fail at the first checkpoint, or would write over something needed.

    Raises:
        HnclipError: the folder cannot be written, is the model to start from, which ``resume``
            needs again, or holds a run or a model that is not to be taken up again, and no
            ``overwrite`` allows to write over it.
    """
    parent = os.path.realpath(folder)
    while not os.path.exists(parent):
        parent = os.path.dirname(parent)
    if not os.path.isdir(parent) or not os.access(parent, os.W_OK | os.X_OK):
        raise HnclipError(
            "cannot write checkpoints here", where=folder, expected="a folder", hint="another -o"
        )
    source = model.removeprefix("local-dir:")
    if os.path.isdir(source) and os.path.isdir(folder) and os.path.samefile(source, folder):
        raise HnclipError("-o is the folder of --model", where=folder, hint="another -o")
    if overwrite or (resume and _holds(folder, RUN_NAME, STATE_NAME)):
        return
    path = os.path.join(folder, STATE_NAME)
    if os.path.exists(path) and not read_metadata(path)["finished"]:
        raise HnclipError(
            "the folder holds a run that is not finished",
            where=folder,
            hint="--resume to go on with it, another -o, or --overwrite",
        )
    if _holds(folder, RUN_NAME, CONFIG_NAME, "config.json", *WEIGHTS):
        raise HnclipError(
            "the folder holds a model", where=folder, hint="another -o, or --overwrite"
        )


def _holds(folder: str, *patterns: str) -> bool:
    """Whether one of a folder's files has such a name."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return any(fnmatch.filter(names, pattern) for pattern in patterns)


def read_metadata(path: str) -> Metadata:
    """What a state says of itself.

    Raises:
        HnclipError: it is no state, or not as it was written.
    """
    from safetensors import SafetensorError, safe_open

    open_regular(path).close()
    try:
        with safe_open(path, framework="np") as stream:
            checksum, _, said = (stream.metadata() or {})["hnclip"].partition(" ")
        if checksum != f"{zlib.crc32(said.encode()):08x}":
            raise ValueError("its checksum is another")
        return _checked(json.loads(said))
    except (
        SafetensorError,
        OSError,
        ValueError,
        KeyError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise damaged(path, f"no {error}" if isinstance(error, KeyError) else str(error)) from None


def _checked(metadata: Any) -> Metadata:
    if not isinstance(metadata, dict):
        raise ValueError("its description is no object")
    for name, kind in _TYPES.items():
        if not isinstance(metadata[name], kind):
            raise ValueError(f"its {name} is {metadata[name]!r}")
    steps, elapsed = (metadata["step"], metadata["position"]), metadata["elapsed"]
    if not (0 <= steps[0] <= steps[1] <= MAX_STEPS and elapsed >= 0 and math.isfinite(elapsed)):
        raise ValueError(f"its step is {steps[0]:.6g} of {steps[1]:.6g} batches")
    return metadata


def damaged(path: str, reason: str) -> HnclipError:
    return HnclipError(
        f"the state cannot be resumed ({shown(reason, 120)})",
        where=path,
        hint="--overwrite in place of --resume to start over, or another -o",
    )
