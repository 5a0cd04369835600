"""Images against further texts: parts of captions, each image against those of all images.

Shapes: b images on this process, B on all; S slots of texts a row; c rows of a chunk; D features;
K keys. What a text is true of stays out of its softmax: its own image, those of its group, and
those that have a text of the same key.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli.training.objectives.contrast import masked_logsumexp
from hnclip_cli.training.objectives.passes import EXCLUDED
from hnclip_cli.training.objectives.rows import sum_over_rows, widened
from hnclip_cli.training.objectives.view import Texts, View

# Images (i, …) and texts (t, S, D) to cosines (i, t, S).
Similar = Callable[[Tensor, Tensor], Tensor]


def cosines(images: Tensor, texts: Tensor) -> Tensor:
    """(i, D) and (t, S, D), unit vectors, to (i, t, S)."""
    return torch.einsum("id,tsd->its", images, texts)


def attended(images: Tensor, texts: Tensor) -> Tensor:
    """Patches z (i, P, D) and texts c (t, S, D) to cosines of c and Σ_p softmax_p(c·z_p) z_p.

    C2LIP's attention pooling. What is pooled is never formed: its length follows from the products
    of the patches.
    """
    logits = torch.einsum("ipd,tsd->itsp", images, texts)
    weights = logits.softmax(dim=-1)
    products = images @ images.mT
    squares = torch.einsum("itsp,ipq,itsq->its", weights, products, weights)
    return (weights * logits).sum(dim=-1) * squares.clamp(min=1e-12).rsqrt()


def paraphrase(view: View) -> Tensor:
    """mean −log softmax(s·Q·[all T])[its T], over the pairs with a paraphrase Q of the caption T.

    READ-CLIP's L_par (arXiv 2510.16540).
    """
    texts = view.texts["paraphrases"]
    return to_images(view, view.positives, texts, texts.keys[:, :0])


def units(view: View, of: str = "units", false: str = "foils") -> Tensor:
    """mean over k of ½ mean −log softmax(s·I·[all u; its f])[its u] + the mirror image of it.

    That is ½ mean −log softmax(s·u·[all I])[its I]. u is slot k's unit of each image, f its foil:
    the unit with something false. Units that may be true of an image leave its sums. CS-CLIP's
    L_k (arXiv 2602.23906).
    """
    texts, foils = view.texts[of], view.texts[false]
    # A foil of the tokens of its unit is none.
    foils = foils._replace(mask=foils.mask & texts.mask & (foils.keys != texts.keys))
    losses = []
    for slot in range(texts.mask.shape[1]):
        own, foil = (Texts(*(x[:, slot : slot + 1] for x in both)) for both in (texts, foils))
        losses.append(to_texts(view, view.anchors, own, texts.keys, foil))
        losses.append(to_images(view, view.anchors, own, texts.keys))
    return torch.stack(losses).mean()


def phrases(view: View, attending: bool = False, sigmoid: bool = False) -> Tensor:
    """½ mean −log softmax(s·I·[its c; other c])[its c] + ½ mean −log softmax(s·c·[all I])[its I].

    c are noun phrases; those that may be true of an image leave its sums. With ``attending``, v
    stands for I: v = Σ_p softmax_p(c·z_p) z_p, brought to length 1, over the patches z of an image.
    With ``sigmoid`` it is the mean over c of −log σ(s·I·c + b) for its image, and of
    −Σ log σ(−s·I·c − b) over the other images.

    C2LIP's L_npc, with ``attending`` L_xac (arXiv 2603.25722).
    """
    texts, images, similar, width = view.texts["phrases"], view.anchors, cosines, 4
    if attending:
        if view.patches is None:
            raise ValueError("an attended term needs image_tokens")
        images, similar, width = view.patches, attended, 4 * view.patches.shape[1]
    if sigmoid:
        return each_pair(view, images, texts, texts.keys, similar, width)
    there = to_texts(view, images, texts, texts.keys, None, similar, width)
    return (there + to_images(view, images, texts, texts.keys, similar, width)) / 2


def each_pair(
    view: View, images: Tensor, texts: Texts, keys: Tensor, similar: Similar, width: int
) -> Tensor:
    """−log σ(s·image·text + b) of its own and −log σ(−s·image·text − b) of what is not true.

    Summed over pairs, by the number of texts. The arguments are those of `to_texts`; ValueError
    without a bias.
    """
    if view.bias is None:
        raise ValueError("got no logit_bias, which a sigmoid term needs")

    def rows_of(chunk: list[Tensor], columns: list[Tensor], shared: Tensor) -> Tensor:
        images, labels, keys, numbers, mask = chunk
        others, other_labels, other_keys = columns
        logits = shared[0] * similar(widened(images), others) + shared[1]
        own = logits[torch.arange(len(logits), device=logits.device), numbers]
        apart = is_true(labels, keys, other_labels, other_keys)
        false = F.softplus(logits).masked_fill(apart, 0).sum()
        return false - F.logsigmoid(own).masked_fill(~mask, 0).sum()

    rows = [images, view.labels.long(), keys, _numbers(view), texts.mask]
    shared = torch.stack([view.scale, view.bias])
    return _mean(view, rows_of, rows, labeled(view, texts), texts, width, shared)


def to_texts(
    view: View, images: Tensor, texts: Texts, keys: Tensor, foils: Texts | None = None,
    similar: Similar = cosines, width: int = 4,
) -> Tensor:  # fmt: skip
    """mean −log softmax(s·image·[its text; texts that are not true of it; its foil])[its text].

    Args:
        view: with the groups, the scale and the processes.
        images: (b, …) as ``similar`` takes them.
        texts: the mean is that over these.
        keys: (b, K) of all texts that are known to be true of each image; 0 for none.
        foils: of each text one of its own, where its mask says so.
        width: numbers that ``similar`` forms for each pair.
    """

    def rows_of(chunk: list[Tensor], columns: list[Tensor], scale: Tensor) -> Tensor:
        images, labels, keys, numbers, mask, *false = chunk
        others, other_labels, other_keys = columns
        logits = scale * similar(widened(images), others)
        own = logits[torch.arange(len(logits), device=logits.device), numbers]
        apart = is_true(labels, keys, other_labels, other_keys)
        rivals = masked_logsumexp(logits.flatten(1), ~apart.flatten(1))[:, None].expand_as(own)
        if false:
            foil = scale * torch.einsum("cd,csd->cs", widened(images), widened(false[0]))
            both = torch.stack([rivals, foil.masked_fill(~false[1], -torch.inf)])
            rivals = masked_logsumexp(both, both > -torch.inf, dim=0)
        return -F.logsigmoid(own - rivals).masked_fill(~mask, 0).sum()

    rows = [images, view.labels.long(), keys, _numbers(view), texts.mask]
    if foils is not None:
        rows += [foils.features, foils.mask]
    return _mean(view, rows_of, rows, labeled(view, texts), texts, width)


def to_images(
    view: View, images: Tensor, texts: Texts, keys: Tensor, similar: Similar = cosines,
    width: int = 4,
) -> Tensor:  # fmt: skip
    """mean −log softmax(s·text·[its image; images that it is not true of])[its image].

    The arguments are those of `to_texts`.
    """

    def rows_of(chunk: list[Tensor], columns: list[Tensor], scale: Tensor) -> Tensor:
        texts, labels, own_keys, numbers, mask = chunk
        images, image_labels, keys = columns
        logits = scale * similar(images, widened(texts))  # (B, c, S)
        own = logits[numbers, torch.arange(len(mask), device=logits.device)]
        apart = is_true(image_labels, keys, labels, own_keys)
        excess = masked_logsumexp(logits, ~apart, dim=0) - own
        return -F.logsigmoid(-excess).masked_fill(~mask, 0).sum()

    features, labels, own_keys = labeled(view, texts)
    rows = [features, labels, own_keys, _numbers(view), texts.mask]
    return _mean(view, rows_of, rows, [images, view.labels.long(), keys], texts, width)


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


def labeled(view: View, texts: Texts) -> list[Tensor]:
    """Features (b, S, D), the labels of their images or `EXCLUDED` (b, S), and keys (b, S)."""
    labels = view.labels.long()[:, None].expand(texts.mask.shape)
    return [texts.features, labels.masked_fill(~texts.mask, EXCLUDED), texts.keys]


def _mean(
    view: View, term: Callable[[list[Tensor], list[Tensor], Tensor], Tensor], rows: list[Tensor],
    columns: list[Tensor], texts: Texts, width: int, shared: Tensor | None = None,
) -> Tensor:  # fmt: skip
    total = sum_over_rows(
        term, rows, columns, view.scale if shared is None else shared, view.ranks,
        numbers_per_row=width * sum(view.counts) * texts.mask.shape[1], chunk_size=view.chunk_size,
    )  # fmt: skip
    return total / view.ranks.sum(texts.mask.sum()).clamp(min=1)
