"""Computations on torch's ``meta`` device, which stands for a GPU that need not be there.

A tensor on ``meta`` has a shape and a storage, but no numbers. Autograd knows it, so what is alive
at any moment is what would be alive on a GPU. Two things of a GPU are missing there and are made
up for here: autocast, and attention that never writes its weights.
"""

import contextlib
import copy
import functools
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

COMPILER = "torch._dynamo"
BLOCK = 512  # bytes, of which torch's allocator on CUDA gives whole numbers

# Functions that autocast on CUDA runs in half precision, and in float32 (torch's list, the part
# that image and text towers use).
HALF = {
    "linear", "matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "addmm", "baddbmm", "einsum",
    "conv1d", "conv2d", "conv3d", "multi_head_attention_forward",
}  # fmt: skip
FLOAT = {
    "layer_norm", "group_norm", "softmax", "log_softmax", "cosine_similarity", "norm", "sum",
    "cumsum", "exp", "log", "pow", "rsqrt",
}  # fmt: skip


class Meter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the storages on a device that are made while it is entered.

    Attributes:
        device: its type.
        alive: bytes that are not freed.
        peak: the most that were alive.
    """

    def __init__(self, device: str = "meta") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.device = device
        self.alive = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **kwargs or {})
        self.count(value for value in tree_leaves(result) if isinstance(value, Tensor))
        return result

    def count(self, tensors: Iterable[Tensor]) -> int:
        """Count the storages of these tensors, too, until they are freed; returns their bytes."""
        before = self.alive
        for tensor in tensors:
            storage = tensor.untyped_storage()
            address = storage._cdata
            if tensor.device.type == self.device and address not in self._known:
                size = -(-storage.nbytes() // BLOCK) * BLOCK
                self._known.add(address)
                weakref.finalize(storage, self._free, address, size)
                self.alive += size
        self.peak = max(self.peak, self.alive)
        return self.alive - before

    def _free(self, address: int, size: int) -> None:
        self._known.discard(address)
        self.alive -= size


class Autocast(TorchFunctionMode):
    """CUDA's autocast for tensors on ``meta``; see `autocast_on_meta`."""

    active: ClassVar[torch.dtype | None] = None  # of the one that is entered

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype
        self._weights: dict[int, tuple[Tensor, Tensor]] = {}  # each is cast once

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name, kwargs = getattr(func, "__name__", ""), kwargs or {}
        if name in HALF:
            args, kwargs = self._cast((args, kwargs), self._dtype)
        elif name in FLOAT:
            args, kwargs = self._cast((args, kwargs), torch.float32)
        return func(*args, **kwargs)

    def _cast(self, arguments: Any, dtype: torch.dtype) -> Any:
        done: dict[int, Tensor] = {}  # queries that are keys and values stay so

        def cast(value: Any) -> Any:
            if not (isinstance(value, Tensor) and value.is_meta and value.is_floating_point()):
                return value
            if value.dtype in (dtype, torch.float64):
                return value
            if value.is_leaf and value.requires_grad:
                return self._weights.setdefault(id(value), (value, value.to(dtype)))[1]
            return done.setdefault(id(value), value.to(dtype))

        return tree_map(cast, arguments)


@contextlib.contextmanager
def autocast_on_meta(dtype: torch.dtype) -> Iterator[None]:
    """CUDA's autocast to a dtype, for tensors on ``meta``."""
    Autocast.active = dtype
    try:
        with Autocast(dtype):
            yield
    finally:
        Autocast.active = None


@contextlib.contextmanager
def fused_attention() -> Iterator[None]:
    """``scaled_dot_product_attention`` as the kernels for GPUs keep memory, for this block."""
    with mock.patch.object(F, "scaled_dot_product_attention", _attention):
        yield


def _attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None,
    dropout_p: float = 0.0, is_causal: bool = False, **options: Any,
) -> Tensor:  # fmt: skip
    if Autocast.active:
        query, key, value = (x.to(Autocast.active) for x in (query, key, value))
    if query.dtype == torch.float32 or attn_mask is not None:
        output = torch.ops.aten._scaled_dot_product_efficient_attention(
            query, key, value, None, True, dropout_p, is_causal
        )
    else:
        output = torch.ops.aten._scaled_dot_product_flash_attention(
            query, key, value, dropout_p, is_causal
        )
    found: Tensor = output[0]
    return found


@contextlib.contextmanager
def uncompiled() -> Iterator[None]:
    """A block that does not import torch's compiler, which takes longer than importing torch.

    What torch computes on ``meta`` in Python asks the compiler to leave it alone. As long as
    nobody has imported it, that is answered here.
    """
    if COMPILER in sys.modules:
        yield
        return
    sys.modules[COMPILER] = stand_in = _StandIn(COMPILER)
    try:
        yield
    finally:
        stand_in.leave()


class _StandIn(ModuleType):
    """A module in place of another, which is imported once it is asked for more."""

    def leave(self) -> None:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]

    def __getattr__(self, name: str) -> Any:
        if name == "disable":
            return _disabled_later
        if name.startswith("__") and name != "__path__":  # as the import system asks
            raise AttributeError(name)
        self.leave()
        return getattr(import_module(self.__name__), name)


def _disabled_later(function: Callable[..., Any], *options: Any, **more: Any) -> Callable[..., Any]:
    """What ``torch._dynamo.disable`` makes of a function, once that is there; else the function."""

    @functools.wraps(function)
    def called(*args: Any, **settings: Any) -> Any:
        compiler = vars(sys.modules.get(COMPILER, object))
        disable = compiler.get("disable", _disabled_later)
        if disable is _disabled_later:
            return function(*args, **settings)
        return disable(function, *options, **more)(*args, **settings)

    return called


def to_meta(module: nn.Module) -> nn.Module:
    """The same module on ``meta``: parametrizations, frozen weights and the like included."""
    tensors: dict[int, Any] = {}
    for parameter in module.parameters():
        tensors[id(parameter)] = nn.Parameter(
            torch.empty_like(parameter, device="meta"), parameter.requires_grad
        )
    for buffer in module.buffers():
        tensors[id(buffer)] = torch.empty_like(buffer, device="meta")
    return copy.deepcopy(module, tensors)  # which copies nothing that it finds there
