"""Score records: every caption of a record against every image of it."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.encoder import Encoder, View
from hnclip_cli.models.load import as_clip
from hnclip_cli.models.row_store import RowStore
from hnclip_cli.scoring.explain import explanation, texts_to_explain
from hnclip_cli.scoring.matrix import Logits, caption_scores, cosines, in_digits
from hnclip_cli.streams.images import ImageRoot
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.npy import Rows, as_rows, rows_beside
from hnclip_cli.streams.records import Record, RowsOf
from hnclip_cli.streams.threads import chunked

Records = Iterable[Mapping[str, Any]]
See = Callable[[Record, np.ndarray, np.ndarray], None]
Method = Literal["cosine", "comclip", "explain"]


def score(
    records: Records,
    *,
    model: Clip | str | None = None,
    image_embeddings: Rows | np.ndarray | str | None = None,
    caption_embeddings: Rows | np.ndarray | str | None = None,
    negative_embeddings: Rows | np.ndarray | str | None = None,
    method: Method = "cosine",
    logits: bool = False,
    batch_size: int = 64,
    image_root: str | ImageRoot = ".",
    workers: int = 0,
    policy: ErrorPolicy | None = None,
    store: RowStore | None = None,
    see: See = lambda record, images, captions: None,
) -> Iterator[Record]:
    """Yield the records with ``scores`` added: cosines, a row an image, a column a caption.

    The scores come from a model, or from embeddings that were made before: arrays of unit
    vectors, or the names of NPY files.

    Args:
        records: what is scored.
        model: as `load_clip` takes it, or what that returned.
        image_embeddings: row i belongs to record i, as `embed` makes them; without ``model``.
        caption_embeddings: likewise.
        negative_embeddings: a row for each negative, where records have some.
        method: ``comclip`` adds parts of the image, which the records name in ``regions``;
            ``explain`` adds what each edit of each negative changed, see `explanation`.
        logits: the model's logits instead of cosines.
        batch_size: records taken together.
        image_root: where relative image paths start.
        workers: processes that decode images ahead.
        policy: what to do with a bad record; without one it is an error.
        store: keeps rows, so that none is encoded twice.
        see: called with each record before it is yielded, and the model's rows of its images and
            captions, (images, D) and (captions, D).

    Raises:
        InputError: a record is bad.
        HnclipError: neither or both ways are given, no such model, or arrays that do not belong
            to the records.
    """
    policy = policy or ErrorPolicy()
    given: dict[RowsOf, Rows | np.ndarray | str | None] = {
        "image": image_embeddings,
        "caption": caption_embeddings,
        "negatives": negative_embeddings,
    }
    arrays = {of: as_rows(array, f"{of}s") for of, array in given.items() if array is not None}
    if bool(arrays) == (model is not None) and not logits:
        raise HnclipError("scores come either from a model or from embeddings")
    clip = as_clip(model) if model is not None else None
    scale = logits_of(clip) if logits and clip else None
    if arrays:
        if not {"image", "caption"} <= arrays.keys() or method != "cosine":
            raise HnclipError("embeddings need both images and captions, and the method cosine")
        return _without_run(score_with_arrays(records, arrays, policy, scale))
    if clip is None:
        raise HnclipError("logits need a model for the logit scale")
    encoder = Encoder(
        clip,
        batch_size=batch_size,
        image_root=image_root,
        workers=workers,
        policy=policy,
        store=store,
    )
    if method == "comclip":
        from hnclip_cli.scoring.comclip import score_with_comclip

        scored = score_with_comclip(records, encoder, policy, logits=scale)
    else:
        explain = method == "explain"
        scored = score_with_model(records, encoder, policy, logits=scale, explain=explain, see=see)
    how = clip.run() | ({} if method == "cosine" else {"method": method})
    return with_run(with_same_tokens(scored, clip), how | ({"logits": True} if logits else {}))


def with_run(records: Iterable[Record], run: Mapping[str, Any]) -> Iterator[Record]:
    """The records; ``run`` says which model scored them.

    Each says so for itself: whatever is cut out of the records, or joined with them, stays true.
    """
    for record in records:
        record["run"] = run
        yield record


def _without_run(records: Iterable[Record]) -> Iterator[Record]:
    """The records, without what they say of a model that scored them before: arrays name none."""
    for record in records:
        record.pop("run", None)
        yield record


def with_same_tokens(records: Iterable[Record], clip: Clip) -> Iterator[Record]:
    """The records; ``same_tokens`` lists the columns whose false captions are, to the model, true
    ones of the same image, where there are such.
    """
    for record in records:
        if columns := same_tokens(record, clip):
            record["same_tokens"] = columns
        yield record


def same_tokens(record: Record, clip: Clip) -> list[int]:
    """Columns of captions that are false for an image and have the tokens of one that is true."""
    item = record.matching
    if len(item.captions) == 1 or (record.is_matching and record.prompts_per_class > 1):
        return []
    keys = [tokens.numpy().tobytes() for tokens in clip.tokenize(item.captions)]
    truth = set(item.truth)
    true_keys = {(image, keys[column]) for image, column in truth}
    return [
        column
        for column, key in enumerate(keys)
        if any(
            (image, key) in true_keys and (image, column) not in truth
            for image in range(len(item.images))
        )
    ]


def logits_of(clip: Clip) -> Logits:
    """The factor that a model multiplies cosines with, and what SigLIP's add to them."""
    bias = clip.logit_bias
    logits = Logits(clip.logit_scale.item(), 0.0 if bias is None else bias.item())
    if not math.isfinite(logits.scale):
        raise HnclipError(
            "the model's logits are not finite",
            got=f"a logit_scale of {logits.scale}",
            hint="cosines, without --logits",
        )
    return logits


def score_with_arrays(
    records: Records,
    arrays: Mapping[RowsOf, Rows],
    policy: ErrorPolicy,
    logits: Logits | None = None,
) -> Iterator[Record]:
    """`score` from arrays: ``image``, ``caption`` and, where records have some, ``negatives``."""
    for record, rows in rows_beside(records, arrays):
        units = {of: _unit(found) for of, found in rows.items()}
        try:
            captions = _caption_rows(record, units)
            record["scores"] = in_digits(cosines(record, units["image"], captions, logits))
            record |= caption_scores(record, captions)
        except InputError as error:
            policy.bad(error)
        else:
            yield record


def _caption_rows(record: Record, rows: dict[RowsOf, np.ndarray]) -> np.ndarray:
    has_negatives = not record.is_matching and record.negatives
    if has_negatives and "negatives" not in rows:
        raise record.error(
            "the record has negatives, and no embeddings of them were given",
            hint="--negative-embeddings FILE, from hnclip embed --of negatives",
        )
    record.matching  # noqa: B018  (checks what the rows stand for)
    parts = [rows["caption"], *([rows["negatives"]] if has_negatives else [])]
    return np.concatenate(parts)


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1; those that are so already are left as they are, digit for digit."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    far = np.abs(norms - 1) > 2e-6
    return np.where(far & (norms > 0), rows / np.where(norms > 0, norms, 1), rows)


def score_with_model(
    records: Records,
    encoder: Encoder,
    policy: ErrorPolicy,
    *,
    logits: Logits | None = None,
    explain: bool = False,
    see: See = lambda record, images, captions: None,
) -> Iterator[Record]:
    """`score` from a model, which encodes each distinct caption of a batch once."""

    def views(record: Record) -> list[View]:
        names = record.matching.images  # also checks the captions, before anything is encoded
        if explain:
            texts_to_explain(record)  # checks the edits
        return [View(name) for name in names]

    for batch in encoded_batches(records, encoder, views, policy):
        texts = [
            record.matching.captions + (texts_to_explain(record) if explain else [])
            for record, _ in batch
        ]
        rows = encoder.captions(text for wanted in texts for text in wanted)
        for (record, images), wanted in zip(batch, texts, strict=True):
            columns = np.stack([rows[text] for text in wanted])
            try:
                found = cosines(record, images, columns, logits)
                see(record, images, columns)
            except InputError as error:
                policy.bad(error)
                continue
            record["scores"] = in_digits(found[:, : len(record.matching.captions)])
            if explain:
                scores = dict(zip(wanted, found[0].tolist(), strict=True))
                record["explain"] = explanation(record, scores)
            record |= caption_scores(record, columns)
            yield record


def encoded_batches(
    records: Records,
    encoder: Encoder,
    views_of: Callable[[Record], Sequence[View]],
    policy: ErrorPolicy,
) -> Iterator[list[tuple[Record, np.ndarray]]]:
    """Yield the records, a batch at a time, with the rows of their views, each (views, D).

    Records whose views cannot be had are left out where the policy skips; where it fails, those
    before them come first. Where ``views_of`` raises an `InputError`, the record is bad.
    """
    items = encoder.decoded(encoder.plan(records, views_of))
    for chunk in chunked(items, encoder.batch_size):
        # Those of a bad record too: another may have the same, and pixels take up much memory.
        encoder.encode(chunk)
        batch: list[tuple[Record, np.ndarray]] = []
        for item in chunk:
            if item.problem:
                if policy.on_error == "fail" and batch:
                    yield batch
                policy.bad(item.problem)
            elif item.record is not None:
                rows = [slot.row for slot in item.slots if slot.row is not None]
                batch.append((item.record, np.stack(rows)))
        if batch:
            yield batch
