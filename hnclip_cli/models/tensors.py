"""Tensors into a safetensors file, one after the other, so that none is in memory twice."""

import json
from collections.abc import Mapping
from typing import IO

import torch
from torch import Tensor

_NAMES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
_ALIGNMENT = 8  # bytes


def write_tensors(
    stream: IO[bytes], tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write the format of https://github.com/huggingface/safetensors, as its own package would.

    That writes to a path or to memory, and to no file that is open. Tensors may be on any device.
    """
    # The widest numbers first, so that all are aligned.
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for name in names:
        tensor = tensors[name]
        end = at + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [at, end],
        }
        at = end
    data = json.dumps(header, separators=(",", ":")).encode()
    data += b" " * (-len(data) % _ALIGNMENT)
    stream.write(len(data).to_bytes(8, "little") + data)
    for name in names:
        stream.write(bytes_of(tensors[name]))


def bytes_of(tensor: Tensor) -> memoryview:
    """The numbers of a tensor in memory, row by row."""
    numbers = tensor.detach().cpu().contiguous().reshape(-1)
    return numbers.view(torch.uint8).numpy().data if len(numbers) else memoryview(b"")
