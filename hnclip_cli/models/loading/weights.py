"""Files of weights, in the forms that they have in the world, as open_clip can read them.

Nothing is unpickled but tensors, numbers and text: no object, no code.
"""

import contextlib
import os
import re
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.loading.clip_names import from_transformers, is_transformers
from hnclip_cli.streams.files import open_regular

# Parts of the names of weights that were compiled, or trained in parallel.
_WRAPPERS = re.compile(r"\b(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
# Around the weights, in checkpoints of open_clip and others.
HOLDERS = ("state_dict", "model_state_dict", "model")
# What OpenAI's archives hold beside weights.
NUMBERS = ("input_resolution", "context_length", "vocab_size")
_LFS = b"version https://git-lfs"
PICKLES = (".bin", ".pt", ".pth", ".ckpt")
SUFFIX = ".safetensors"


@contextlib.contextmanager
def readable_weights(path: str) -> Iterator[str]:
    """The path of weights with the names that open_clip knows: this file, or a private copy.

    Raises:
        HnclipError: it is empty, a pointer of Git LFS, TorchScript, a pickle of more than tensors,
            or no file of weights at all.
    """
    kind = _kind(path)
    if kind == "numpy":  # big_vision's, which open_clip knows
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="hnclip-weights-") as private:
        copy = os.path.join(private, f"weights{SUFFIX}")
        if kind == "safetensors" and _are_known(_names(path, path)):
            os.symlink(os.path.realpath(path), copy)
            yield path if path.endswith(SUFFIX) else copy
            return
        with _in_words(path):
            tensors = load_file(path) if kind == "safetensors" else _unpickle(path)
            save_file(_own_memory(known_names(tensors)), copy)
        del tensors
        _names(copy, path)
        yield copy


def known_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights without prefixes of wrappers, under open_clip's names."""
    plain = {_WRAPPERS.sub("", name): value for name, value in tensors.items()}
    prefix = _prefix(plain)
    plain = {name.removeprefix(prefix): value for name, value in plain.items()}
    if is_transformers(plain):
        plain = from_transformers(plain)
    return {name: value for name, value in plain.items() if name not in NUMBERS}


def _prefix(names: Iterable[str]) -> str:
    """What stands before all names where the model was a part of another, as ``module.``."""
    scales = [name for name in names if name.endswith(".logit_scale")]
    return min(scales, key=len).removesuffix("logit_scale") if scales else ""


def _are_known(names: set[str]) -> bool:
    is_wrapped = _prefix(names) or any(map(_WRAPPERS.search, names))
    return not is_transformers(names) and not is_wrapped


def _own_memory(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors that share none of it, as safetensors wants them."""
    return {name: value.detach().clone().contiguous() for name, value in tensors.items()}


def _kind(path: str) -> str:
    with open_regular(path) as stream:
        beginning = stream.read(64)
    if not beginning:
        raise HnclipError("the file of weights is empty", where=path, hint="another copy of it")
    if beginning.startswith(_LFS):
        raise HnclipError(
            "a pointer of Git LFS, in place of the weights", where=path, hint="git lfs pull"
        )
    if path.endswith(SUFFIX) or beginning[8:9] == b"{":
        return "safetensors"
    if path.endswith((".npz", ".npy")):
        return "numpy"
    if path.endswith(PICKLES) or beginning.startswith((b"PK", b"\x80")):
        return "pickle"
    raise HnclipError(
        "not a file of weights", where=path, expected="safetensors, or a pickle of tensors"
    )


def _names(path: str, shown: str) -> set[str]:
    """The names in a safetensors file, which messages name as ``shown``.

    Torch would round or cut what it loads to the type of the model, so that is refused.
    """
    with _in_words(shown), safe_open(path, framework="pt") as stream:
        kinds = {name: stream.get_slice(name).get_dtype() for name in sorted(stream.keys())}
    for name, kind in kinds.items():
        if name.endswith(("weight", "bias")) and "F" not in kind:
            expected = "floating point, as of weights that are not quantized"
            raise HnclipError(f"{name} is {kind}", where=shown, expected=expected)
    return set(kinds)


def _unpickle(path: str) -> Mapping[str, Tensor]:
    with (
        _in_words(path),
        warnings.catch_warnings(action="ignore"),
        torch.serialization.safe_globals(_numbers()),
    ):
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    for holder in HOLDERS:
        if isinstance(found, Mapping) and isinstance(found.get(holder), Mapping):
            found = found[holder]
    found = found if isinstance(found, Mapping) else {}
    tensors = {name: value for name, value in found.items() if isinstance(value, Tensor)}
    if not tensors:
        raise HnclipError(
            "no weights in the file",
            where=path,
            got=", ".join(map(str, list(found)[:4])),
            expected="tensors by name, or in a state_dict",
        )
    return tensors


def _numbers() -> list[Any]:
    """What unpickles numbers of NumPy, which open_clip's training leaves in its checkpoints."""
    scalar = np.float64(0).__reduce__()[0]
    names = [(scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    return [*names, np.dtype, *(type(np.dtype(letter)) for letter in "?bhilBHILefd")]


def _is_zip(path: str) -> bool:
    with open(path, "rb") as stream:
        return stream.read(2) == b"PK"


@contextlib.contextmanager
def _in_words(path: str) -> Iterator[None]:
    try:
        yield
    except HnclipError:
        raise
    except SafetensorError as error:
        raise HnclipError(f"not a safetensors file ({error})", where=path) from None
    except Exception as error:  # unpickling what is no pickle raises nearly anything
        if "TorchScript" in str(error):
            raise HnclipError(
                "a TorchScript archive, which holds code",
                where=path,
                hint="torch.save(torch.jit.load(FILE).state_dict(), OTHER), if you trust it",
            ) from None
        if "weights_only" in str(error) or "Unsupported" in str(error):
            raise HnclipError(
                "a pickle of more than tensors, which could run code",
                where=path,
                hint="saving its state_dict alone",
            ) from None
        reason = str(error).partition("\n")[0][:80] or type(error).__name__
        raise HnclipError(f"not a file of weights ({reason})", where=path) from None
