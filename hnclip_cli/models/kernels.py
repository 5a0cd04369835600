"""Kernels of our own are compared with plain torch before their first use."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

# In bfloat16, relative; rounding alone gives 0.005.
MAX_ERROR = 0.01


def is_right(what: str, device: torch.device, error_of: Callable[[torch.device], float]) -> bool:
    """Whether kernels run on a device with no larger relative error than rounding makes.

    Where Triton is missing, cannot compile, or gives other numbers, a warning says that ``what``
    is not used; not for ``meta``, which stands for a GPU that is not here.
    """

    def problem_of() -> str:
        error = error_of(device)
        return "" if error <= MAX_ERROR else f"its relative error is {error:.2g}"

    return works(f"{what} is not used", problem_of, is_said=device.type != "meta")


def works(note: str, problem_of: Callable[[], str], *, is_said: bool = True) -> bool:
    """Whether there is no problem, and none is raised; else a warning: the note, and why."""
    try:
        reason = problem_of()
    except Exception as problem:  # Triton's compiler, the driver and the import each have their own
        reason = f"{type(problem).__name__}: {problem}".partition("\n")[0][:120]
    if reason and is_said:
        warnings.warn(f"{note} ({reason})", stacklevel=4)
    return not reason


def launch(kernel: Any, grid: tuple[int, ...], x: Tensor, *args: Any, **constants: Any) -> None:
    """Start a Triton kernel, if there is anything to start; on ``meta`` nothing is computed."""
    if all(grid) and not x.is_meta:
        kernel[grid](x, *args, **constants)
