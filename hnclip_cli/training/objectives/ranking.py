"""Agreement of rankings: what is close to an image should be close to its caption."""

from torch import Tensor

from hnclip_cli.training.objectives.rows import sum_over_rows, widened
from hnclip_cli.training.objectives.view import View


def rank(view: View) -> Tensor:
    """Cross-modal and in-modal rank consistency (Zhang et al., ICCV 2025, RankCLIP).

    With ℓ(S, R) the mean over rows of `list_mle`, N columns, and S the scaled similarities::

        ( ℓ(S_IT, S_TI) + ℓ(S_TI, S_IT) + ℓ(S_II, S_TT) + ℓ(S_TT, S_II) ) / N
    """
    num_rows = sum(view.counts)

    def rows_of(chunk: list[Tensor], columns: list[Tensor], scale: Tensor) -> Tensor:
        own_images, own_texts = (scale * widened(x) for x in chunk)
        images, texts = columns
        image_text, text_image = own_images @ texts.T, own_texts @ images.T
        image_image, text_text = own_images @ images.T, own_texts @ texts.T
        return (
            list_mle(image_text, text_image).sum()
            + list_mle(text_image, image_text).sum()
            + list_mle(image_image, text_text).sum()
            + list_mle(text_text, image_image).sum()
        )

    pairs = [view.anchors, view.positives]
    total = sum_over_rows(
        rows_of, pairs, pairs, view.scale, view.ranks,
        numbers_per_row=16 * num_rows, chunk_size=view.chunk_size,
    )  # fmt: skip
    return total / num_rows**2


def list_mle(scores: Tensor, truth: Tensor) -> Tensor:
    """−log likelihood of the true order under Plackett and Luce's model (Xia et al., ICML 2008).

    Σⱼ [ log Σ_{l ≥ j} exp(scores_l) − scores_j ], columns sorted by falling truth. The truth has
    no gradient; columns with equal truth rank by their place in the batch.

    Args:
        scores: (c, N).
        truth: (c, N).

    Returns:
        (c,)
    """
    # Sorted the other way round, what lies behind a column has been passed before it.
    ranked = scores.gather(1, truth.detach().argsort(dim=1, stable=True))
    return (ranked.logcumsumexp(dim=1) - ranked).sum(dim=1)
