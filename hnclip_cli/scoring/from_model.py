"""Score records with a model: every caption of a record against every image of it."""

from collections.abc import Iterable, Iterator

import numpy as np

from hnclip_cli.models.clip import Clip
from hnclip_cli.scoring.encoding import Encoder, View
from hnclip_cli.scoring.explain import Explanation
from hnclip_cli.scoring.matrix import Logits, add_scores, cosines
from hnclip_cli.streams.records import Record


def score_with_model(
    records: Iterable[Record],
    encoder: Encoder,
    *,
    logits: Logits | None = None,
    explain: bool = False,
) -> Iterator[Record]:
    """Yield the records with ``scores`` added: cosines, a row an image, a column a caption.

    Each distinct caption of a batch is encoded once, each image as long as it is remembered.

    Args:
        records: what is scored.
        encoder: the model, and what it does with records whose images or captions cannot be had.
        logits: turn cosines into the model's logits.
        explain: add ``explain`` too, see `Explanation`.
    """

    def views(record: Record) -> list[View]:
        names = record.matching.images  # also checks the captions, before anything is encoded
        if explain:
            Explanation(record)  # checks the edits
        return [View(name) for name in names]

    for batch in encoder.batches(records, views):
        plans = [Explanation(record) if explain else None for record, _ in batch]
        captions = [caption for record, _ in batch for caption in record.matching.captions]
        texts = encoder.captions(captions + [text for plan in plans if plan for text in plan.texts])
        for (record, images), plan in zip(batch, plans, strict=True):
            columns = np.stack([texts[caption] for caption in record.matching.captions])
            add_scores(record, images, columns, logits)
            if plan:
                scores: dict[str, float] = {}
                if plan.texts:
                    rows = np.stack([texts[text] for text in plan.texts])
                    values = cosines(record, images, rows, logits)[0]
                    scores = dict(zip(plan.texts, values.tolist(), strict=True))
                record["explain"] = plan.of(scores)
            yield record


def logits_of(clip: Clip) -> Logits:
    """The factor that a model multiplies cosines with, and what SigLIP's add to them."""
    bias = getattr(clip.module, "logit_bias", None)
    return Logits(clip.logit_scale.item(), 0.0 if bias is None else bias.item())
