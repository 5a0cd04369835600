"""The state of a run on disk: one safetensors file that tells whether it is as it was written."""

import json
import zlib
from typing import IO

from safetensors import SafetensorError, safe_open
from torch import Tensor

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.tensors import bytes_of, write_tensors
from hnclip_cli.training.run_folder import Metadata, damaged, read_metadata

Tensors = dict[str, Tensor]


def write_state(stream: IO[bytes], metadata: Metadata, tensors: Tensors) -> None:
    """Write a state.

    Its checksum (CRC-32) is against accidents: it covers what the state says of itself, which holds
    another one of the tensors, so that the first can be read and checked alone.
    """
    said = json.dumps(metadata | {"tensors": _checksum(tensors)})
    write_tensors(stream, tensors, {"hnclip": f"{zlib.crc32(said.encode()):08x} {said}"})


def read_state(path: str) -> tuple[Metadata, Tensors]:
    """What a state says of itself, and its tensors; raises as `read_metadata`."""
    metadata = read_metadata(path)
    try:
        with safe_open(path, framework="pt") as stream:
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise damaged(path, str(error)) from None
    if metadata.get("tensors") != _checksum(tensors):
        raise damaged(path, "the checksum of its tensors is another")
    return metadata, tensors


def check_tensors(path: str, found: Tensors, expected: Tensors) -> None:
    """Raises HnclipError where names or shapes are not the expected ones."""
    for name in sorted(expected.keys() | found.keys()):
        shapes = [tuple(side[name].shape) if name in side else None for side in (found, expected)]
        if shapes[0] != shapes[1]:
            got, wanted = (f"shape {shape}" if shape is not None else "none" for shape in shapes)
            raise HnclipError(
                f"the state is not of this model: its {name} differs",
                where=path,
                got=got,
                expected=wanted,
                hint="the command that started it, or a new folder with -o",
            )


def _checksum(tensors: Tensors) -> str:
    total = 0
    for name, value in sorted(tensors.items()):
        total = zlib.crc32(f"{name} {value.dtype} {tuple(value.shape)}".encode(), total)
        total = zlib.crc32(bytes_of(value), total)
    return f"{total:08x}"
