"""Where a model runs, and in what precision."""

import contextlib
import hashlib
from typing import Any

import torch

from hnclip_cli.errors import HnclipError
from hnclip_cli.known import no_device
from hnclip_cli.models.meta import Autocast, autocast_on_meta


def resolve_device(device: str) -> torch.device:
    """``auto`` takes CUDA where there is one; `HnclipError` for a device that is not here."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise HnclipError(
            "no such device", got=repr(device), expected="auto, cpu, cuda or cuda:N"
        ) from None
    if chosen.type not in ("cpu", "cuda"):
        raise HnclipError("no such device", got=repr(device), expected="cpu, cuda or cuda:N")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise no_device(device, torch.cuda.device_count())
    return chosen


def is_gpu(device: torch.device) -> bool:
    """Whether work is laid out for a GPU; ``meta`` stands for one that is not there."""
    return device.type in ("cuda", "meta")


def autocast(
    device: torch.device, dtype: torch.dtype | None
) -> contextlib.AbstractContextManager[Any]:
    """torch's autocast to a dtype; None switches it off."""
    if device.type == "meta":
        return autocast_on_meta(dtype) if dtype else contextlib.nullcontext()
    return torch.autocast(device.type, dtype, enabled=dtype is not None)


def autocast_dtype(device: torch.device) -> torch.dtype | None:
    """What is cast to in here, or None."""
    if device.type == "meta":
        return Autocast.active
    is_on = torch.is_autocast_enabled(device.type)
    return torch.get_autocast_dtype(device.type) if is_on else None


def manual_seed(name: str) -> None:
    """Seed torch with a number made of some text."""
    digest = hashlib.blake2b(name.encode(), digest_size=7).digest()
    torch.manual_seed(int.from_bytes(digest, "big"))
