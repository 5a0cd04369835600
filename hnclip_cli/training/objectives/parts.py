"""Images against further texts: parts of captions, each image against those of all images.

Shapes: b images on this process, B on all; S slots of texts a row; c rows of a chunk; D features;
K keys. What a text is true of stays out of its softmax: its own image, those of its group, and
those that have a text of the same key.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.training.objectives.passes import EXCLUDED
from hnclip_cli.training.objectives.rows import sum_over_rows, widened
from hnclip_cli.training.objectives.view import Texts, View

# Images (i, …) and texts (t, S, D) to cosines (i, t, S).
Similar = Callable[[Tensor, Tensor], Tensor]


def cosines(images: Tensor, texts: Tensor) -> Tensor:
    """(i, D) and (t, S, D), unit vectors, to (i, t, S)."""
    return torch.einsum("id,tsd->its", images, texts)


def to_texts(
    view: View, images: Tensor, texts: Texts, keys: Tensor, foils: Texts | None = None,
    similar: Similar = cosines,
) -> Tensor:  # fmt: skip
    """mean −log softmax(s·image·[its text; texts that are not true of it; its foil])[its text].

    Args:
        view: with the groups, the scale and the processes.
        images: (b, …) as ``similar`` takes them.
        texts: the mean is that over these.
        keys: (b, K) of all texts that are known to be true of each image; 0 for none.
        foils: of each text one of its own, where its mask says so.
    """

    def rows_of(chunk: list[Tensor], columns: list[Tensor], scale: Tensor) -> Tensor:
        images, labels, keys, numbers, mask, *false = chunk
        others, other_labels, other_keys = columns
        logits = scale * similar(widened(images), others)
        own = logits[torch.arange(len(logits), device=logits.device), numbers]
        apart = is_true(labels, keys, other_labels, other_keys)
        excess = _lse(logits.masked_fill(apart, -torch.inf).flatten(1))[:, None] - own
        if false:
            foil = scale * torch.einsum("cd,csd->cs", widened(images), widened(false[0]))
            foil = foil.masked_fill(~false[1], -torch.inf)
            excess = torch.logaddexp(excess, foil - own)
        return -F.logsigmoid(-excess).masked_fill(~mask, 0).sum()

    rows = [images, view.labels.long(), keys, _numbers(view), texts.mask]
    if foils is not None:
        rows += [foils.features, foils.mask]
    return _mean(view, rows_of, rows, _columns(view, texts), texts, keys)


def to_images(
    view: View, images: Tensor, texts: Texts, keys: Tensor, similar: Similar = cosines
) -> Tensor:
    """mean −log softmax(s·text·[its image; images that it is not true of])[its image].

    The arguments are those of `to_texts`.
    """

    def rows_of(chunk: list[Tensor], columns: list[Tensor], scale: Tensor) -> Tensor:
        texts, labels, own_keys, numbers, mask = chunk
        images, image_labels, keys = columns
        logits = scale * similar(images, widened(texts))  # (B, c, S)
        own = logits[numbers, torch.arange(len(mask), device=logits.device)]
        apart = is_true(image_labels, keys, labels, own_keys)
        excess = _lse(logits.masked_fill(apart, -torch.inf), dim=0) - own
        return -F.logsigmoid(-excess).masked_fill(~mask, 0).sum()

    features, labels, own_keys = _columns(view, texts)
    rows = [features, labels, own_keys, _numbers(view), texts.mask]
    return _mean(view, rows_of, rows, [images, view.labels.long(), keys], texts, keys)


def is_true(labels: Tensor, keys: Tensor, text_labels: Tensor, text_keys: Tensor) -> Tensor:
    """Which texts are true of which images, or no texts: (i, t, S) bool.

    Args:
        labels: (i,) of the images.
        keys: (i, K) of the texts that are true of each.
        text_labels: (t, S), those of their images, or `EXCLUDED`.
        text_keys: (t, S).
    """
    same = labels[:, None, None] == text_labels
    for key in keys.unbind(dim=1):  # one at a time, for less memory
        same |= key[:, None, None] == text_keys
    return same | (text_labels == EXCLUDED)


def _numbers(view: View) -> Tensor:
    """(b,) the numbers of this rank's rows among those of all."""
    first = sum(view.counts[: view.ranks.rank])
    return torch.arange(first, first + len(view.anchors), device=view.anchors.device)


def _columns(view: View, texts: Texts) -> list[Tensor]:
    """Features (b, S, D), the labels of their images or `EXCLUDED` (b, S), and keys (b, S)."""
    labels = view.labels.long()[:, None].expand(texts.mask.shape)
    return [texts.features, labels.masked_fill(~texts.mask, EXCLUDED), texts.keys]


def _lse(logits: Tensor, dim: int = 1) -> Tensor:
    """Log-sum-exp, and −inf without NaN in its gradient where all are −inf."""
    nothing = (logits == -torch.inf).all(dim=dim, keepdim=True)
    found = logits.masked_fill(nothing, 0).logsumexp(dim=dim)
    return found.masked_fill(nothing.squeeze(dim), -torch.inf)


def _mean(
    view: View, term: Callable[[list[Tensor], list[Tensor], Tensor], Tensor], rows: list[Tensor],
    columns: list[Tensor], texts: Texts, keys: Tensor,
) -> Tensor:  # fmt: skip
    total = sum_over_rows(
        term, rows, columns, view.scale, view.ranks,
        numbers_per_row=4 * sum(view.counts) * texts.mask.shape[1], chunk_size=view.chunk_size,
    )  # fmt: skip
    return total / view.ranks.sum(texts.mask.sum()).clamp(min=1)
