"""open_clip's causal text towers, whichever class holds them, seen as one thing."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class CausalTower:
    """A text tower in which no position sees a later one, so that the last one used ends it.

    Attributes:
        module: what holds the layers: the model itself (CLIP) or its ``text`` (CustomTextCLIP,
            CoCa).
        pool: the position whose output is the text's: that of the highest id (``argmax``), of
            the first ``eos``, the ``first``, or a ``class`` embedding behind the text (CoCa).
    """

    module: Any
    pool: str

    @property
    def cast_dtype(self) -> torch.dtype:
        dtype: torch.dtype = self.module.transformer.get_cast_dtype()
        return dtype

    @property
    def eos_id(self) -> int:
        holder = self.module
        return int(holder.text_eos_id if hasattr(holder, "text_eos_id") else holder.eos_id)

    def pool_positions(self, tokens: Tensor) -> Tensor:
        """(n, context length) token ids to the position (n,) that each text is pooled at.

        The rules of open_clip's ``text_global_pool``. Not for ``class``.
        """
        if self.pool == "first":
            return torch.zeros_like(tokens[:, 0])
        hits = (tokens == self.eos_id).int() if self.pool == "eos" else tokens
        return hits.argmax(dim=1)

    def key_mask(self, tokens: Tensor) -> Tensor:
        """Which positions may be attended to, (n, context length + 1) bool, the class last.

        Only for ``class``. Released CoCa weights were trained with a mask shifted by one
        position (``correct_cls_mask`` off), so the padding token behind a text takes part.
        """
        real = tokens != self.module.pad_id
        always = real.new_ones(len(tokens), 1)
        parts = [real, always] if self.module.correct_cls_mask else [always, real]
        return torch.cat(parts, dim=1)

    def project(self, features: Tensor) -> Tensor:
        """Pooled outputs of the last block, (n, width), to features (n, D)."""
        return project(self.module.ln_final(features), self.module.text_projection)


def project(features: Tensor, projection: Any) -> Tensor:
    """Through what open_clip calls a projection: a matrix, a layer, or nothing."""
    if projection is None:
        return features
    is_layer = isinstance(projection, nn.Linear)
    projected: Tensor = projection(features) if is_layer else features @ projection
    return projected


def causal_tower(module: Any) -> CausalTower | None:
    """The causal tower of an open_clip model, or None where padding may change the result.

    None for bidirectional towers (SigLIP, MobileCLIP), for those pooled at the last position,
    padding or not, and for Hugging Face towers.
    """
    holder = module.text if hasattr(module, "text") else module
    pool = getattr(holder, "text_pool_type", None) or getattr(holder, "pool_type", None)
    needed = ("transformer", "token_embedding", "positional_embedding", "ln_final")
    if not all(hasattr(holder, name) for name in (*needed, "text_projection")):
        return None
    if getattr(holder, "attn_mask", None) is None:  # open_clip's sign of a bidirectional tower
        return None
    if getattr(holder, "cls_emb", None) is not None:
        return CausalTower(holder, "class")
    return CausalTower(holder, pool) if pool in ("argmax", "eos", "first") else None
