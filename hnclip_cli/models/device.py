"""Where a model runs."""

import torch

from hnclip_cli.errors import HnclipError


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
        raise HnclipError(
            f"device {device} is not there",
            got=f"{torch.cuda.device_count()} CUDA devices",
            hint="--device cpu",
        )
    return chosen
