"""What a model costs, from its configuration alone: no weights are made or loaded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import open_clip
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from hnclip_cli.models.load import found_model, loading
from hnclip_cli.models.shapes import build_on_meta


@dataclass(frozen=True)
class TowerCost:
    """One tower's size, and what one image or one text of full length asks of it."""

    parameters: int
    forward_flops: int  # multiplications and additions, each counted
    saved_bytes: int  # that autograd keeps of the forward pass, in float32


@dataclass(frozen=True)
class ModelCost:
    """The two towers and what they share."""

    image: TowerCost
    text: TowerCost
    embed_dim: int
    context_length: int
    has_batch_norm: bool


def measure_cost(name: str) -> ModelCost:
    """Run both towers once on torch's ``meta`` device; `HnclipError` if there is no such model."""
    with found_model(name) as (source, config), loading(name, config):
        module = build_on_meta(source)
    size = module.visual.image_size
    height, width = size if isinstance(size, tuple) else (size, size)
    context = int(config.get("text_cfg", {}).get("context_length", 77))
    num_image = sum(parameter.numel() for parameter in module.visual.parameters())
    num_all = sum(parameter.numel() for parameter in module.parameters())
    pixels = torch.zeros(1, 3, height, width, device="meta")
    tokens = torch.zeros(1, context, dtype=torch.int64, device="meta")
    return ModelCost(
        TowerCost(num_image, *_measure(module, module.encode_image, pixels)),
        TowerCost(num_all - num_image, *_measure(module, module.encode_text, tokens)),
        int(config["embed_dim"]),
        context,
        has_batch_norm(module),
    )


def mean_tokens(name: str, texts: Sequence[str]) -> float:
    """Mean length of texts in tokens, with start and end; `HnclipError` as `measure_cost`."""
    with found_model(name) as (source, config), loading(name, config):
        tokens = open_clip.get_tokenizer(source)(list(texts))
    return float((tokens != 0).sum(dim=1).float().mean())


def has_batch_norm(module: nn.Module) -> bool:
    """Whether an output depends on the other rows of its batch while training."""
    return any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in module.modules())


def _measure(
    module: nn.Module, encode: Callable[[Tensor], Tensor], inputs: Tensor
) -> tuple[int, int]:
    # One storage may be saved many times, and the weights are there anyway.
    weights = {parameter.untyped_storage()._cdata for parameter in module.parameters()}
    saved: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            saved[storage._cdata] = storage.nbytes()
        return tensor

    counter = FlopCounterMode(display=False)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor), counter:
        encode(inputs)
    return counter.get_total_flops(), sum(saved.values())
