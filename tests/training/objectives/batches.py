"""Random batches with every kind of feature, some slots empty."""

from dataclasses import fields, replace

import torch
import torch.nn.functional as F

from hnclip_cli.training.objectives.hard_negatives import compute_objective
from hnclip_cli.training.objectives.view import Features, Slots
from hnclip_cli.training.texts import SOURCES, num_slots

NUM_KINDS = 3  # and that of negative images
DIM = 5
TENSORS = (
    "images",
    "texts",
    "negatives",
    "negative_images",
    "image_tokens",
    "text_tokens",
    "rebuilt",
)


def make_batch(size=4, slots=2, images=2, seed=0, valid=0.7, groups=None, dtype=torch.float64):
    """Features, slots; without negative images where ``images`` is None."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    def unit(*shape):
        return F.normalize(normal(*shape), dim=-1).to(dtype).requires_grad_()

    words = torch.rand(size, 1 + slots, 4, generator=generator) < 0.6
    words[..., -1] = True
    mask = torch.rand(size, slots, generator=generator) < valid
    words[:, 1:] &= mask[..., None]
    counts = num_slots(SOURCES)
    features = Features(
        images=unit(size, DIM),
        texts=unit(size, DIM),
        negatives=unit(size, slots, DIM),
        negative_images=None if images is None else unit(size, images, DIM),
        image_tokens=normal(size, 3, DIM).to(dtype).requires_grad_(),
        text_tokens=normal(size, 1 + slots, 4, DIM).to(dtype).requires_grad_(),
        text_token_mask=words,
        rebuilt=(4 * normal(size).abs()).to(dtype).requires_grad_(),
        further={name: unit(size, count, DIM) for name, count in counts.items()},
    )
    slots = Slots(
        mask=mask,
        kinds=torch.randint(NUM_KINDS, mask.shape, generator=generator),
        groups=None if groups is None else torch.tensor(groups),
        image_mask=None
        if images is None
        else torch.rand(size, images, generator=generator) < valid,
        rebuilt=torch.randint(5, (size,), generator=generator),
    )
    for name, count in counts.items():
        slots.further[name] = torch.rand(size, count, generator=generator) < valid
        keys = torch.randint(1, 2 * size, (size, count), generator=generator)
        slots.keys[name] = keys * slots.further[name]
    return features, slots


def make_scale(value=7.0):
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


def make_bias(value=-2.5):
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


def make_thresholds():
    return torch.tensor([0.0, 1.5, 4.0, 2.0], dtype=torch.float64)


def compute(objective, features, slots, scale, thresholds, *, bias=None, **options):
    """The objective of a batch; what needs a bias has one."""
    bias = make_bias() if bias is None else bias
    return compute_objective(
        objective, features, slots, scale, thresholds, logit_bias=bias, **options
    )


def cut(features, slots, start, stop):
    """Some of the rows, as leaves of their own."""

    def part(value):
        if isinstance(value, dict):
            return {name: part(x) for name, x in value.items()}
        if not isinstance(value, torch.Tensor):
            return value
        return value[start:stop].detach().clone().requires_grad_(value.requires_grad)

    return tuple(
        replace(x, **{field.name: part(getattr(x, field.name)) for field in fields(x)})
        for x in (features, slots)
    )


def gradients(loss, features, scale, bias=None):
    """By name; zeros where a tensor takes no part."""
    inputs = {
        name: getattr(features, name) for name in TENSORS if getattr(features, name) is not None
    }
    inputs |= features.further
    inputs["scale"] = scale
    if bias is not None:
        inputs["bias"] = bias
    found = torch.autograd.grad(
        loss, list(inputs.values()), allow_unused=True, materialize_grads=True
    )
    return dict(zip(inputs, found, strict=True))
