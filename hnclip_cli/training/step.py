"""One step's loss and gradients: encoders, objective, and what happens between them.

The objective sees the whole batch at once; the encoders need not. With micro-batches every
feature is computed without a graph first, the objective gives the gradient of each, and then
the encoders run again, a part of the batch at a time, to carry those gradients on to the
parameters (GradCache; Gao et al., 2021).
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.models.clip import Clip
from hnclip_cli.models.device import manual_seed
from hnclip_cli.models.text_decoder import IGNORED
from hnclip_cli.training.batches import Batch
from hnclip_cli.training.config import TrainConfig
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.objectives.hard_negatives import Outcome, compute_objective
from hnclip_cli.training.objectives.rows import widened
from hnclip_cli.training.objectives.table import uses
from hnclip_cli.training.objectives.view import Features, Slots, fill_slots

Named = dict[str, Tensor]
Encode = Callable[[slice], Named]
FURTHER = "further "  # what the names of further texts' features begin with


def forward_backward(
    clip: Clip,
    batch: Batch,
    config: TrainConfig,
    thresholds: Tensor,
    *,
    step: int = 0,
    progress: float = 1.0,
    ranks: Ranks = Ranks(),
) -> Outcome:
    """Add the gradients of this rank's rows, perhaps none, to the parameters' ``grad``.

    Summed over the ranks they are the gradients of the mean loss of the global batch, whatever
    the size of the micro-batches; but for batch normalization, which would see another batch.
    Dropout and the like draw from the seed, the step, the rank and the micro-batch, so that the
    second pass over a micro-batch repeats the first, and a run that is taken up again goes on
    as it would have. Loss, terms and thresholds are those of the global batch.
    """
    settle_layout(clip, batch, ranks)
    encoders: list[Encode] = [
        partial(encode_images, clip, batch, config), partial(encode_texts, clip, batch, config)
    ]  # fmt: skip
    seed, num_rows = f"{config.seed}/{step}/{ranks.rank}", len(batch)
    size = config.micro_batch or num_rows
    parts = [slice(start, min(start + size, num_rows)) for start in range(0, num_rows, size or 1)]
    twice = len(parts) > 1
    with torch.set_grad_enabled(not twice):
        computed = [_encode(encode, parts, f"{seed}/{n}") for n, encode in enumerate(encoders)]
    found = computed[0] | computed[1] if parts else _none(clip, batch, config)
    features = {name: feature.detach() for name, feature in found.items()}
    for name, feature in features.items():
        is_number = feature.is_floating_point()
        feature.requires_grad_(is_number if twice else found[name].requires_grad)

    outcome = loss_of(features, clip, batch, config, thresholds, ranks, progress)
    torch.autograd.backward(outcome.loss)
    # A tower at a time, images first: while the GPU computes these, Python has the time to start
    # the many short kernels of texts. Autograd alone would go backwards.
    for number, encode in enumerate(encoders):
        for part in parts:
            if twice:
                manual_seed(f"{seed}/{number}/{part.start}")
            rows = encode(part) if twice else computed[number]
            if not _carry_on(rows, features, part):
                break  # a locked tower: no part of it has a gradient
    return outcome


def loss_of(
    features: Named, clip: Clip, batch: Batch, config: TrainConfig, thresholds: Tensor,
    ranks: Ranks, progress: float = 1.0,
) -> Outcome:  # fmt: skip
    """The objective of what `encode_images` and `encode_texts` have made of a batch."""
    own = {name: x for name, x in features.items() if not name.startswith(FURTHER)}
    further = {name: features[FURTHER + name] for name in batch.further}
    return compute_objective(
        config.weights,
        Features(**own, further=further),
        _slots(batch, config, clip.device),
        clip.logit_scale,
        thresholds,
        logit_bias=clip.logit_bias,
        threshold_bound=config.threshold_bound,
        progress=progress,
        half=clip.precision != "fp32",
        ranks=ranks,
    )


def settle_layout(clip: Clip, batch: Batch, ranks: Ranks = Ranks()) -> None:
    """At the first batch rank 0 measures how texts are best laid out; all ranks take that."""
    if clip.layout is None:
        further = (texts.tokens for texts in batch.further.values())
        tokens = torch.cat([batch.captions, batch.negatives, *further])
        clip.layout = ranks.broadcast(clip.fastest_layout(tokens) if ranks.rank == 0 else None)


def _encode(encode: Encode, parts: list[slice], seed: str) -> Named:
    """The features of all parts, by one tower."""
    rows: list[Named] = []
    for part in parts:
        manual_seed(f"{seed}/{part.start}")
        rows.append(encode(part))
    features: Named = {}
    for name in rows[0] if rows else ():
        found = _to_common_length([part[name] for part in rows])
        features[name] = torch.cat(found) if len(found) > 1 else found[0]
    return features


def _carry_on(features: Named, cached: Named, part: slice) -> bool:
    """Push the cached gradients of these rows through the graph that made the features."""
    outputs, gradients = [], []
    for name, feature in features.items():
        gradient = cached[name].grad
        if feature.requires_grad and gradient is not None:
            outputs.append(feature)
            # Tokens of a part may be fewer than those of the batch, never more.
            within = tuple(slice(0, length) for length in feature.shape[1:])
            gradients.append(gradient[(part, *within)])
    if outputs:
        torch.autograd.backward(outputs, gradients)
    return bool(outputs)


def _to_common_length(parts: list[Tensor]) -> list[Tensor]:
    """Pad the third dimension, if any: each part of a batch may have its own number of tokens."""
    if parts[0].ndim < 3 or len({part.shape[2] for part in parts}) == 1:
        return parts
    longest = max(part.shape[2] for part in parts)
    return [F.pad(part, [0, 0] * (part.ndim - 3) + [0, longest - part.shape[2]]) for part in parts]


def encode_images(clip: Clip, batch: Batch, config: TrainConfig, rows: slice) -> Named:
    """``images`` (b, D) of these rows, ``negative_images`` (b, M, D), ``image_tokens`` (b, P, D).

    The latter two only where there are slots for them, and where the objective looks at patches.
    """
    mask, negatives = batch.image_mask[rows], batch.negative_pixels[_packed(batch.image_mask, rows)]
    if _sees_patches(config):
        images, patches = clip.encode_images_local(batch.pixels[rows])
        features = {"images": images, "image_tokens": patches}
        if len(negatives):
            images = torch.cat([images, clip.encode_images(negatives)])
    else:
        images = clip.encode_images(torch.cat([batch.pixels[rows], negatives]))
        features = {"images": images[: len(mask)]}
    if mask.shape[1]:
        features["negative_images"] = fill_slots(images[len(mask) :], mask)
    return features


def encode_texts(clip: Clip, batch: Batch, config: TrainConfig, rows: slice) -> Named:
    """``texts`` (b, D) of these rows and ``negatives`` (b, K, D), zero in empty slots.

    Where the objective looks at words, also ``text_tokens`` (b, 1 + K, L, D) and their mask. Of
    further texts with S slots (b, S, D), named with `FURTHER` before their own name. With a
    decoder ``rebuilt`` (b,).
    """
    mask = batch.mask[rows]
    tokens = torch.cat([batch.captions[rows], batch.negatives[_packed(batch.mask, rows)]])
    further = [x.tokens[_packed(x.mask, rows)] for x in batch.further.values()]
    counts, local = [len(mask), len(tokens) - len(mask), *map(len, further)], {}
    if uses(config.weights, "tokens"):
        raw, local["text_tokens"], local["text_token_mask"] = clip.encode_tokens_local(tokens)
        if further:
            raw = torch.cat([raw, clip.encode_tokens_raw(torch.cat(further))])
    else:
        raw = clip.encode_tokens_raw(torch.cat([tokens, *further]))
    captions, negatives, *others = clip.unit(raw).split_with_sizes(counts)
    features = {"texts": captions, "negatives": fill_slots(negatives, mask)}
    for (name, slots), packed in zip(batch.further.items(), others, strict=True):
        features[FURTHER + name] = fill_slots(packed, slots.mask[rows])
    if clip.decoder is not None:
        features["rebuilt"] = _rebuilt(clip, batch, raw, rows)
    for name, packed in local.items():
        parts = packed[: len(mask), None], fill_slots(packed[len(mask) :], mask)
        features[name] = torch.cat(parts, dim=1)
    return features


def _rebuilt(clip: Clip, batch: Batch, captions: Tensor, rows: slice) -> Tensor:
    """−log of the probability that the decoder gives each row's target, (b,); 0 without one.

    Args:
        captions: (b or more, D) their vectors, not normalized.
    """
    mask, targets = batch.target_mask[rows], batch.targets
    assert targets is not None
    there = mask.nonzero().squeeze(1).to(captions.device, non_blocking=True)
    if not len(there):
        return captions.new_zeros(len(mask))
    own = captions.index_select(0, there)
    return fill_slots(clip.rebuild(own, targets[_packed(batch.target_mask, rows)]), mask)


def _none(clip: Clip, batch: Batch, config: TrainConfig) -> Named:
    """The features of no rows at all; the towers would stumble over them."""
    dim, slots, images = clip.embed_dim, batch.mask.shape[1], batch.image_mask.shape[1]
    shapes: dict[str, tuple[int, ...]] = {
        "images": (0, dim), "texts": (0, dim), "negatives": (0, slots, dim),
    }  # fmt: skip
    if images:
        shapes["negative_images"] = 0, images, dim
    for name, texts in batch.further.items():
        shapes[FURTHER + name] = 0, texts.mask.shape[1], dim
    if clip.decoder is not None:
        shapes["rebuilt"] = (0,)
    if _sees_patches(config):
        shapes["image_tokens"] = 0, 1, dim
    if uses(config.weights, "tokens"):
        shapes["text_tokens"] = 0, 1 + slots, 1, dim
    nothing = torch.zeros(0, device=clip.device, dtype=clip.logit_scale.dtype)
    features = {name: widened(nothing).view(shape) for name, shape in shapes.items()}
    if uses(config.weights, "tokens"):
        features["text_token_mask"] = features["text_tokens"][..., 0].bool()
    return features


def _slots(batch: Batch, config: TrainConfig, device: torch.device) -> Slots:
    move = partial(Tensor.to, device=device, non_blocking=True)
    image_mask = move(batch.image_mask) if batch.image_mask.shape[1] else None
    groups = move(batch.groups) if config.groups == "image" else None
    counts = (
        None
        if batch.targets is None
        else move(fill_slots((batch.targets != IGNORED).sum(dim=1), batch.target_mask))
    )
    masks = {name: move(texts.mask) for name, texts in batch.further.items()}
    keys = {name: move(texts.keys) for name, texts in batch.further.items()}
    return Slots(move(batch.mask), move(batch.kinds), groups, image_mask, counts, masks, keys)


def _sees_patches(config: TrainConfig) -> bool:
    return uses(config.weights, "tokens") or uses(config.weights, "patches")


def _packed(mask: Tensor, rows: slice) -> slice:
    """Where the valid slots of these rows lie among those of all rows."""
    before = mask[: rows.start].sum()
    return slice(int(before), int(before + mask[rows].sum()))
