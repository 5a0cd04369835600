"""Fuzzed like `targets`: what hnclip reads in folders of models and runs.

Checksums are set right again after each change, or nothing would be read but these.
"""

import contextlib
import io
import json
import zlib
from pathlib import Path

import torch
from safetensors.torch import save

from hnclip_cli.embedding import partial
from hnclip_cli.errors import HnclipError
from hnclip_cli.known import OWN_CONFIGS
from hnclip_cli.models.loading.config import check_tower
from hnclip_cli.models.loading.folder import CONFIG_NAME, TOWER_NAME, open_folder
from hnclip_cli.training.state_file import read_state, write_state


def read_config(data: bytes, folder: Path) -> None:
    """A model's configuration, or behind a tab that of its text tower."""
    if data[:1] == b"\t":
        try:
            tower = json.loads(data[1:])
        except (ValueError, RecursionError):
            return
        check_tower(tower, TOWER_NAME)
        return
    (folder / CONFIG_NAME).write_bytes(data)
    (folder / "open_clip_model.safetensors").write_bytes(WEIGHTS)
    with open_folder(folder):
        pass


WEIGHTS = save({"a": torch.zeros(2)})
CONFIG = json.loads((OWN_CONFIGS / "hnclip-tiny-vit.json").read_bytes())
CONFIGS = [
    json.dumps(
        {"model_cfg": CONFIG, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}
    ).encode(),
    b"\t" + json.dumps({"model_type": "roberta", "vocab_size": 9, "hidden_size": 8}).encode(),
]
CONFIG_WORDS = [
    b"null", b"[]", b"{}", b"1e308", b"9" * 400, b"[" * 300, b"-1", b"0", b"true", b'"hf-hub:a"',
    b'"timm_model_name":', b'"tokenizer_kwargs":', b'"trust_remote_code":true', b'"../a"',
]  # fmt: skip


def read_state_of(data: bytes, folder: Path) -> None:
    """The state of a run, and the note beside a half-written array."""
    path = folder / "hnclip_state.safetensors"
    path.write_bytes(data)
    if data[:1] == b"{":
        said = data.decode("utf-8", "surrogateescape").encode("utf-8", "replace").decode()
        metadata = {"hnclip": f"{zlib.crc32(said.encode()):08x} {said}"}
        path.write_bytes(save({"a": torch.zeros(2)}, metadata))
        _write_note(data, folder)
        with contextlib.suppress(HnclipError):
            partial._read_state(str(folder / "e.npy.partial"), {"--of": "image"})
    read_state(str(path))


def _write_note(data: bytes, folder: Path) -> None:
    with contextlib.suppress(ValueError, RecursionError, AttributeError, TypeError):
        note = json.loads(data)
        note.pop("checksum", None)
        data = json.dumps(note | {"checksum": partial._checksum(note)}).encode()
    (folder / "e.npy.partial.json").write_bytes(data)


def _state() -> bytes:
    stream = io.BytesIO()
    write_state(stream, SAID, {"model.a": torch.zeros(2)})
    return stream.getvalue()


SAID = {"model": "a", "pretrained": None, "precision": "fp32", "data": "x", "config": {"lr": 1},
        "step": 3, "position": 4, "elapsed": 1.5, "finished": False}  # fmt: skip
NOTE = {"settings": {"--of": "image"}, "rows": 3, "digest": "ab", "checksum": 7}
STATES = [
    _state(),
    json.dumps(SAID).encode(),
    json.dumps(SAID | {"tensors": "0"}).encode(),
    json.dumps(NOTE).encode(),
]
STATE_WORDS = [b"null", b"9" * 400, b"1e308", b"-1", b"[]", b"{}", b'"step"', b'"elapsed"',
               b'"rows"', b'"settings"', b"NaN", b"Infinity", b"[" * 300]  # fmt: skip
