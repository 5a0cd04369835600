"""Stage a: every implementation of the objective and every path of the towers against float64."""

from copy import deepcopy
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.models import text
from hnclip_cli.models.text import (
    GROUPS_LAYOUT,
    TREES_LAYOUT,
    Layout,
    encode_text,
)
from hnclip_cli.models.vision import encode_image
from hnclip_cli.training.objectives.captured import RECORDER
from hnclip_cli.training.objectives.hard_negatives import hard_negative_objective
from tests.bench.gpu.kit import (
    Kit,
    captions_of,
    clip_like_features,
    difference,
    make_model,
    pixels_of,
    texts_of,
)

LAYOUTS = {
    "trees of 16": TREES_LAYOUT,
    "trees of 1": Layout("trees", tree_size=1),
    "4 groups": GROUPS_LAYOUT,
}


def main() -> None:
    kit = Kit.from_arguments()
    check_objective(kit)
    check_towers(kit)


def check_objective(kit: Kit) -> None:
    size, dim = (48, 32) if kit.small else (2048, 768)
    generator = torch.Generator(kit.device).manual_seed(0)
    features = clip_like_features(size, 4, dim, generator, kit.device)
    mask = torch.rand(size, 4, generator=generator, device=kit.device) < 0.75
    mask[0] = False  # a row without a negative
    groups = torch.arange(size, device=kit.device) // 2
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        rounded = [part.to(dtype) for part in features]
        for grouped in (None, groups):
            expected = objective([part.double() for part in rounded], mask, grouped, "dense")
            for name, calls in (("triton", 1), ("chunked", 1), ("auto", 1 if kit.small else 6)):
                if kit.small and dtype == torch.bfloat16:
                    continue  # Triton's interpreter does not multiply bfloat16
                for _ in range(calls):  # those after the third are repeated from a graph
                    loss, *gradients = objective(rounded, mask, grouped, name)
                errors = [
                    difference(mine, other)
                    for mine, other in zip(gradients, expected[1:], strict=True)
                ]
                kit.say(
                    f"objective {name}, {str(dtype)[6:]}{', groups' if grouped is not None else ''}"
                    ": worst gradient",
                    max(errors), at_most=6e-3 if dtype != torch.float32 else 1e-4,
                    images=errors[0], texts=errors[1], negatives=errors[2], scale=errors[3],
                )  # fmt: skip
                kit.say(
                    f"objective {name}, {str(dtype)[6:]}: loss",
                    difference(loss, expected[0]), at_most=2e-4,
                )  # fmt: skip

    if kit.device.type == "cuda":
        kit.say("objective: kinds that are CUDA graphs", len(RECORDER.kept), at_least=2)


def objective(
    features: list[Tensor], mask: Tensor, groups: Tensor | None, implementation: Any
) -> list[Tensor]:
    """Loss, and its gradients by images, texts, negatives and scale."""
    leaves = [part.detach().requires_grad_() for part in features]
    scale = torch.tensor(
        100.0, device=mask.device, requires_grad=True,
        dtype=torch.promote_types(features[0].dtype, torch.float32),
    )  # fmt: skip
    loss = hard_negative_objective(
        *leaves, mask, scale, negative_kinds=torch.zeros_like(mask, dtype=torch.int64),
        thresholds=torch.zeros(1, device=mask.device), imc_weight=0.3, cmr_weight=0.2,
        groups=groups, implementation=implementation,
    ).loss  # fmt: skip
    return [loss.detach(), *torch.autograd.grad(loss, [*leaves, scale])]


def check_towers(kit: Kit) -> None:
    """ViT-B-32 of random weights: error of ours in half precision, by that of open_clip's."""
    module = make_model(kit, "ViT-B-32")
    exact = deepcopy(module).double()
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    tokens = tokenizer(texts_of(captions_of(kit, 4 if kit.small else 64), 4))
    pixels = pixels_of(kit, module, 4 if kit.small else 64)

    expected = _with_gradient(exact, exact.encode_image(pixels.double()))
    for dtype in (torch.bfloat16, torch.float16):
        with torch.autocast(kit.device.type, dtype):
            theirs = _with_gradient(module, module.encode_image(pixels))
            ours = _with_gradient(module, encode_image(module, pixels))
        _compare(kit, f"image tower, {str(dtype)[6:]}", ours, theirs, expected)

    on_device = tokens.to(kit.device)
    expected = _with_gradient(exact, exact.encode_text(on_device))
    chosen = text.layout_for
    for dtype in (torch.bfloat16, torch.float16):
        with torch.autocast(kit.device.type, dtype):
            theirs = _with_gradient(module, module.encode_text(on_device))
        for name, layout in LAYOUTS.items():
            if kit.small and dtype == torch.bfloat16:
                continue  # Triton's interpreter has no bfloat16
            text.layout_for = lambda *args, layout=layout, **options: layout
            with torch.autocast(kit.device.type, dtype):
                ours = _with_gradient(module, encode_text(module, tokens))
            _compare(kit, f"text tower, {name}, {str(dtype)[6:]}", ours, theirs, expected)
    text.layout_for = chosen


def _with_gradient(module: Any, features: Tensor) -> list[Tensor]:
    """The unit features, and the gradient of all parameters as one vector."""
    unit = F.normalize(features.to(torch.promote_types(features.dtype, torch.float32)), dim=-1)
    weights = torch.linspace(-1, 1, unit.numel(), device=unit.device).view_as(unit)
    parameters = [p for name, p in module.named_parameters() if "logit" not in name]
    found = torch.autograd.grad((unit * weights).sum(), parameters, allow_unused=True)
    return [
        unit.detach(),
        torch.cat([gradient.flatten() for gradient in found if gradient is not None]),
    ]


def _compare(
    kit: Kit, name: str, ours: list[Tensor], theirs: list[Tensor], expected: list[Tensor]
) -> None:
    for what, mine, other, exact in zip(
        ("features", "gradient"), ours, theirs, expected, strict=True
    ):
        error, reference = difference(mine, exact), difference(other, exact)
        kit.say(
            f"{name}: {what}, error by open_clip's", error / reference, at_most=1.5,
            error=error, open_clip=reference,
        )  # fmt: skip


if __name__ == "__main__":
    main()
