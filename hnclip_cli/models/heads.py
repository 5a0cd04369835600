"""A residual head on the features of a frozen model, and the folder that it is kept in."""

import json
import os
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.tensors import write_tensors
from hnclip_cli.streams.files import read_whole
from hnclip_cli.streams.outputs import atomic_output, naming

HEAD_NAME = "hnclip_head.json"
HEAD_WEIGHTS_NAME = "hnclip_head.safetensors"
LATENT_DIM = 512
# Of what a head adds, at inference. CLAP's configurations have 0.056 (VLCS) and 0.14 (OfficeHome).
SCALE = 0.1


class ResidualHead(nn.Module):
    """h(z) = z + α·W₂(W₁·SiLU(z) + b), for features z that are not normalized, (n, D) to (n, D).

    CLAP's (Cai et al., ECCV 2024). W₂ begins with zeros, so that h(z) = z.
    """

    def __init__(self, embed_dim: int, latent_dim: int = LATENT_DIM, scale: float = SCALE) -> None:
        super().__init__()
        self.down = nn.Linear(embed_dim, latent_dim)
        self.up = nn.Linear(latent_dim, embed_dim, bias=False)
        nn.init.zeros_(self.up.weight)
        self.scale = scale  # α

    def forward(self, features: Tensor, scale: float | None = None) -> Tensor:
        added: Tensor = self.up(self.down(F.silu(features)))
        return features + (self.scale if scale is None else scale) * added


def save_head(head: ResidualHead, folder: str) -> None:
    """Write safetensors and JSON, each in one step; `HnclipError` where that cannot be done."""
    facts = {"embed_dim": head.down.in_features, "latent_dim": head.down.out_features}
    with naming(folder):
        os.makedirs(folder, exist_ok=True)
    with atomic_output(os.path.join(folder, HEAD_WEIGHTS_NAME), follow_links=False) as stream:
        write_tensors(stream, head.state_dict())
    with atomic_output(os.path.join(folder, HEAD_NAME), follow_links=False) as stream:
        stream.write(json.dumps(facts | {"scale": head.scale}, indent=2).encode() + b"\n")


def load_head(folder: str, scale: float | None = None) -> ResidualHead:
    """A head that `save_head` wrote.

    Args:
        scale: α, in place of that of the folder.

    Raises:
        HnclipError: there is none, or it is damaged.
    """
    path = os.path.join(folder, HEAD_NAME)
    if not os.path.isfile(path):
        raise HnclipError(
            "the folder holds no head",
            where=folder,
            expected=HEAD_NAME,
            hint="hnclip train --objective clap",
        )
    try:
        facts: Any = json.loads(read_whole(path, 1 << 16))
        sizes = facts["embed_dim"], facts["latent_dim"]
        if not all(type(size) is int and 0 < size <= 1 << 16 for size in sizes):
            raise ValueError(f"sizes {sizes}")
        given = facts["scale"] if scale is None else scale
        with torch.device("meta"):
            head = ResidualHead(*sizes, scale=float(given))
        path = os.path.join(folder, HEAD_WEIGHTS_NAME)
        weights = load(read_whole(path))
        head.load_state_dict(weights, assign=True)
    except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise HnclipError(f"the head cannot be read ({reason})", where=path) from None
    if not all(tensor.isfinite().all() for tensor in [torch.tensor(head.scale), *weights.values()]):
        raise HnclipError("the head is not finite", where=folder, hint="an earlier one")
    return head.float().requires_grad_(False)


def check_width(head: ResidualHead, embed_dim: int, where: str) -> None:
    """Raises HnclipError where the features of a model are not as wide as those of a head."""
    if head.down.in_features != embed_dim:
        raise HnclipError(
            "the head is not of this model",
            where=where,
            got=f"a head for {head.down.in_features} features",
            expected=f"one for {embed_dim}",
            hint="the --model that it was trained on",
        )
