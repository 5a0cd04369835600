"""open_clip's towers as they are: which are causal, which have features of patches and words."""

from dataclasses import dataclass
from typing import Any

import torch
from open_clip.modified_resnet import ModifiedResNet
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

from hnclip_cli.errors import HnclipError


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

    def pool_positions(self, tokens: Tensor) -> Tensor:
        """(n, context length) token ids to the position (n,) that each text is pooled at.

        The rules of open_clip's ``text_global_pool``. Not for ``class``.
        """
        if self.pool == "first":
            return torch.zeros_like(tokens[:, 0])
        if self.pool == "eos":
            is_clip = hasattr(self.module, "text_eos_id")
            eos_id = self.module.text_eos_id if is_clip else self.module.eos_id
            tokens = (tokens == eos_id).int()
        return tokens.argmax(dim=1)

    def run(self, tokens: Tensor) -> Tensor:
        """(n, L) token ids to the outputs of the last block, (n, L, width). Not for ``class``."""
        holder, length = self.module, tokens.shape[1]
        x = holder.token_embedding(tokens).to(self.cast_dtype)
        x = x + holder.positional_embedding[:length].to(x.dtype)
        outputs: Tensor = holder.transformer(x, attn_mask=holder.attn_mask[:length, :length])
        return outputs

    def project(self, outputs: Tensor) -> Tensor:
        """Outputs of the last block, (…, width), to features (…, D)."""
        return project(self.module.ln_final(outputs), self.module.text_projection)


def has_batch_norm(module: nn.Module) -> bool:
    """Whether an output depends on the other rows of its batch while training."""
    return any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in module.modules())


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
    holder = getattr(module, "text", module)
    pool = getattr(holder, "text_pool_type", None) or getattr(holder, "pool_type", None)
    needed = ("transformer", "token_embedding", "positional_embedding", "ln_final")
    if not all(hasattr(holder, name) for name in (*needed, "text_projection")):
        return None
    if getattr(holder, "attn_mask", None) is None:  # open_clip's sign of a bidirectional tower
        return None
    if getattr(holder, "cls_emb", None) is not None:
        return CausalTower(holder, "class")
    return CausalTower(holder, pool) if pool in ("argmax", "eos", "first") else None


def check_local(module: Any, words: bool = True) -> None:
    """`HnclipError` for a model with a tower that has no features of patches or, with ``words``, of
    words.
    """
    visual = module.visual
    has_patches = (
        isinstance(visual, ModifiedResNet)
        or averages_cells(visual)
        or (
            isinstance(visual, VisionTransformer)
            and visual.attn_pool is None
            and visual.pool_type in ("tok", "avg")
        )
    )
    if not has_patches:
        raise HnclipError(
            "the image tower of this model has no features of patches",
            got=_describe(visual),
            expected="open_clip's VisionTransformer without attentional pooling, ModifiedResNet, "
            "or timm's convolutions with average pooling",
            hint="--model ViT-B-32, or an --objective without a local term",
        )
    tower = causal_tower(module)
    if words and (not tower or tower.pool not in ("argmax", "eos")):
        raise HnclipError(
            "the text tower of this model has no features of words",
            got=_describe(getattr(module, "text", module)),
            expected="a causal tower that pools at the end token, as CLIP's",
            hint="--model ViT-B-32, or an --objective without a local term",
        )


def averages_cells(visual: Any) -> bool:
    """Whether a tower is one of timm's that averages a map (n, channels, height, width)."""
    if type(visual).__name__ != "TimmModel":  # whose module takes long to import
        return False
    trunk = visual.trunk
    pool = getattr(trunk, "global_pool", None) or getattr(trunk.head, "global_pool", None)
    is_last = getattr(trunk, "output_fmt", "NCHW") == "NHWC"
    return getattr(pool, "pool_type", None) == "avg" and not is_last


def _describe(tower: Any) -> str:
    trunk = getattr(tower, "trunk", None)  # of a timm model
    return type(tower).__name__ + (f" of {type(trunk).__name__}" if trunk is not None else "")
