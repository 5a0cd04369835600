"""Records to rows of unit vectors."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from hnclip_cli.errors import InputError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.pixels import iter_pixels
from hnclip_cli.streams.ahead import chunked
from hnclip_cli.streams.images import ImageRoot
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.streams.records import Record, RowsOf


def embed(
    reader: RecordReader,
    clip: Clip,
    of: RowsOf,
    *,
    batch_size: int,
    policy: ErrorPolicy,
    image_root: str | ImageRoot = ".",
    workers: int = 0,
) -> Iterator[np.ndarray]:
    """Yield blocks of rows, float32, shape (n, D), in the order of the records.

    ``image`` and ``caption`` give one row a record (or one for each of ``images`` and
    ``captions``), ``negatives`` one row for each negative, a record's rows together. Where
    images or captions cannot be had and the policy skips, their rows are NaN, so that row and
    record stay together; records with bad negatives have no rows. The lines that are not even
    records have one NaN row.
    """
    if of == "image":
        blocks = _image_blocks(reader, clip, batch_size, policy, image_root, workers)
    else:
        blocks = _text_blocks(reader, clip, of, batch_size, policy)
    next_index = 0
    for index, rows in blocks:
        if of != "negatives" and index > next_index:
            yield _missing(index - next_index, clip)
        next_index = index + 1
        yield rows
    if of != "negatives" and reader.num_lines > next_index:
        yield _missing(reader.num_lines - next_index, clip)


def _image_blocks(
    records: Iterable[Record],
    clip: Clip,
    batch_size: int,
    policy: ErrorPolicy,
    image_root: str | ImageRoot,
    workers: int,
) -> Iterator[tuple[int, np.ndarray]]:
    loaded = iter_pixels(records, clip, image_root, workers)
    for chunk in chunked(loaded, batch_size):
        good = [pixels for _, pixels in chunk if isinstance(pixels, Tensor)]
        rows = _encode_images(clip, good)
        start = 0
        for record, pixels in chunk:
            if isinstance(pixels, InputError):
                policy.bad(pixels)
                yield record.index, _missing(record.num_rows("image"), clip)
            else:
                yield record.index, rows[start : start + len(pixels)]
                start += len(pixels)


def _encode_images(clip: Clip, pixels: list[Tensor]) -> np.ndarray:
    if not pixels:
        return np.zeros((0, clip.embed_dim), np.float32)
    with torch.inference_mode():
        rows: np.ndarray = clip.encode_images(torch.cat(pixels)).cpu().numpy()
    return rows


def _text_blocks(
    records: Iterable[Record], clip: Clip, of: RowsOf, batch_size: int, policy: ErrorPolicy
) -> Iterator[tuple[int, np.ndarray]]:
    for chunk in chunked(records, batch_size):
        texts: list[list[str] | None] = []
        for record in chunk:
            try:
                texts.append(_texts(record, of))
            except InputError as error:
                policy.bad(error)
                texts.append(None)
        with torch.inference_mode():
            rows = clip.encode_captions([text for group in texts for text in group or ()])
        block = rows.cpu().numpy()
        start = 0
        for record, group in zip(chunk, texts, strict=True):
            if group is None:
                yield record.index, _missing(record.num_rows(of), clip)
            else:
                yield record.index, block[start : start + len(group)]
                start += len(group)


def _texts(record: Record, of: RowsOf) -> list[str]:
    if of == "negatives":
        return [negative.caption for negative in record.negatives]
    return record.caption_list


def _missing(num_rows: int, clip: Clip) -> np.ndarray:
    return np.full((num_rows, clip.embed_dim), np.nan, np.float32)
