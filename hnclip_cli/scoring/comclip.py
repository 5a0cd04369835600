"""ComCLIP: composition over parts of the image, without training.

Source: Jiang et al., "ComCLIP: Training-Free Compositional Image and Text Matching", NAACL 2024
(arXiv 2211.13854), section 3. With unit vectors v of the image, vⱼ of the image with all but
entity j black, t of the caption and wⱼ of the words for entity j::

    sⱼ = wⱼ·vⱼ    αⱼ = sⱼ / Σ s    score = cos(v + Σ αⱼ vⱼ, t)

Their sum of the s may be near 0 or negative, and the weights then have no bound. Here a negative
sⱼ counts as 0, and where none is positive all weights are the same. So the weights are never
negative and add up to 1; where all s are positive they are those of the paper.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from hnclip_cli.errors import InputError
from hnclip_cli.language.caption import TAGS
from hnclip_cli.language.links import phrases
from hnclip_cli.language.parser import Parser
from hnclip_cli.models.encoder import Encoder, View
from hnclip_cli.scoring.matrix import Logits, check_vectors, shortest
from hnclip_cli.scoring.score import Records, encoded_batches
from hnclip_cli.streams.edits import Edit, apply_edits, edits_of
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Box, Record
from hnclip_cli.streams.regions import Region, regions_of


class Entity(NamedTuple):
    """Something that a caption names, and where it is; without a box, in the whole image."""

    words: str
    boxes: tuple[Box, ...]


Pair = tuple[str, str, list[Entity]]  # an image, a caption, and what this names


@lru_cache(maxsize=4096)
def noun_phrases(caption: str) -> Sequence[tuple[int, int]]:
    """The character spans of a caption's base noun phrases, by its tags."""
    parsed = _parser().parse([caption])[0]
    words = parsed.words
    return [(words[p.first].start, words[p.stop - 1].end) for p in phrases(parsed).values()]


@cache
def _parser() -> Parser:
    return Parser(TAGS)


def score_with_comclip(
    records: Records, encoder: Encoder, policy: ErrorPolicy, *, logits: Logits | None = None
) -> Iterator[Record]:
    """Yield the records with ``scores`` added: ComCLIP's; plain cosines without ``regions``."""

    def views(record: Record) -> list[View]:
        if record.is_matching:
            _ = record.prompts_per_class  # a bad one is found here, where bad records are
        return _views(record.matching.images, _pairs(record))

    for batch in encoded_batches(records, encoder, views, policy):
        tables = [_pairs(record) for record, _ in batch]
        texts = encoder.captions(words for table in tables for words in _words(table))
        for (record, rows), table in zip(batch, tables, strict=True):
            matching = record.matching
            found = dict(zip(_views(matching.images, table), rows, strict=True))
            try:
                check_vectors(record, np.stack([texts[words] for words in _words(table)]))
            except InputError as error:
                policy.bad(error)
                continue
            scores = [
                compose(
                    found[View(name)],
                    np.array([found[View(name, entity.boxes)] for entity in entities]),
                    np.array([texts[entity.words] for entity in entities]),
                    texts[caption],
                    logits,
                )
                for name, caption, entities in table
            ]
            width = len(matching.captions)
            record["scores"] = [scores[at : at + width] for at in range(0, len(scores), width)]
            yield record


def compose(
    image: np.ndarray,
    parts: np.ndarray,
    words: np.ndarray,
    caption: np.ndarray,
    logits: Logits | None = None,
) -> float:
    """ComCLIP's score of one image and one caption, from unit vectors.

    Args:
        image: the whole image, shape (D,).
        parts: the image with all but an entity black, shape (n, D).
        words: the words for it, shape (n, D).
        caption: shape (D,).
        logits: turn the cosine into the model's logit.
    """
    vector = image.astype(np.float64)
    if len(parts):
        vector = vector + weights_of(np.einsum("nd,nd->n", words, parts)) @ parts
    length = np.linalg.norm(vector)
    cosine = np.float32(vector @ caption / length) if length else np.float32(0)
    return shortest(logits.of(cosine) if logits else cosine)


def weights_of(similarities: np.ndarray) -> np.ndarray:
    """The weights α of parts from their similarities to their words, shape (n,)."""
    positive = np.maximum(similarities.astype(np.float64), 0)
    total = positive.sum()
    return positive / total if total > 0 else np.full(len(positive), 1 / len(positive))


def _words(pairs: Sequence[Pair]) -> list[str]:
    """The texts that a record's scores need: its captions, and what they say of its entities."""
    captions = [caption for _, caption, _ in pairs]
    return captions + [entity.words for *_, entities in pairs for entity in entities]


def _views(images: Sequence[str], pairs: Sequence[Pair]) -> list[View]:
    """The distinct views that a record's scores need, whole images first."""
    parts = [View(name, entity.boxes) for name, _, entities in pairs for entity in entities]
    return list(dict.fromkeys([*map(View, images), *parts]))


def _pairs(record: Record) -> list[Pair]:
    """Each image with each caption, and the entities there."""
    images, captions = record.matching.images, record.matching.captions
    per_image = regions_of(record)
    short = not record.is_matching and any(per_image)
    edits: list[list[Edit]] = [[], *edits_of(record)] if short else [[] for _ in captions]
    return [
        (name, caption, entities_of(regions, caption, captions[0] if short else caption, changes))
        for name, regions in zip(images, per_image, strict=True)
        for caption, changes in zip(captions, edits, strict=True)
    ]


def entities_of(
    regions: Sequence[Region], caption: str, original: str, edits: Sequence[Edit]
) -> list[Entity]:
    """What a caption says is in the regions of an image.

    A region's text stands for itself, except that where it stands in the original caption too,
    the edits within it are applied. A region that has only a role is named by the caption: its
    first noun phrase is the subject, its second the object, and what is between them the
    relation. Regions of the same words are shown together. A relation without a box is shown by
    the boxes of subject and object, or the whole image where one of them has none.

    Args:
        original: the caption that the edits apply to.
        edits: what leads from it to ``caption``.
    """
    boxes: dict[str, list[Box] | None] = {}
    for region in regions:
        text, role = region.text, region.role
        words = _edited(text, original, edits) if text else _named(caption, role)
        if not words:
            continue  # the caption names nothing there
        shown = _shown(region, regions)
        known = boxes.setdefault(words, [])
        # One region of the whole image shows all of it, whatever boxes the others have.
        boxes[words] = known + shown if shown and known is not None else None
    return [Entity(words, tuple(dict.fromkeys(shown or ()))) for words, shown in boxes.items()]


def _shown(region: Region, regions: Sequence[Region]) -> list[Box]:
    if region.box:
        return [region.box]
    if region.role != "relation":
        return []
    ends = [[r.box for r in regions if r.role == role and r.box] for role in ("subject", "object")]
    return [box for boxes in ends for box in boxes] if all(ends) else []


def _named(caption: str, role: str) -> str:
    """The words of a caption that have a role."""
    phrases = noun_phrases(caption)
    if role == "relation":
        between = slice(phrases[0][1], phrases[1][0]) if len(phrases) > 1 else slice(0)
        return caption[between].strip(" ,.;:")
    at = ("subject", "object").index(role)
    return caption[slice(*phrases[at])] if at < len(phrases) else ""


def _edited(text: str, original: str, edits: Sequence[Edit]) -> str:
    """The text after the edits that lie within the place where the caption has it."""
    if not edits:
        return text
    place = re.search(rf"(?<!\w){re.escape(text)}(?!\w)", original, re.IGNORECASE)
    if not place:
        return text
    first, stop = place.span()
    inner = [(s - first, e - first, new) for s, e, new in edits if first <= s and e <= stop]
    return " ".join(apply_edits(original[first:stop], inner).split())
