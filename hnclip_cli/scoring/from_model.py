"""Score records with a model: every caption of a record against every image of it."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from hnclip_cli.errors import InputError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.pixels import iter_pixels
from hnclip_cli.scoring.matrix import add_scores
from hnclip_cli.streams.ahead import chunked
from hnclip_cli.streams.images import ImageRoot
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record


def score_with_model(
    records: Iterable[Record],
    clip: Clip,
    *,
    batch_size: int,
    policy: ErrorPolicy,
    image_root: str | ImageRoot = ".",
    workers: int = 0,
) -> Iterator[Record]:
    """Yield the records with ``scores`` added: cosines, a row an image, a column a caption.

    Each distinct caption of a batch is encoded once. Records whose image or captions cannot be
    had are left out where the policy skips.
    """
    loaded = iter_pixels(records, clip, image_root, workers)
    for chunk in chunked(loaded, batch_size):
        good: list[tuple[Record, Tensor]] = []
        failure: InputError | None = None
        for record, pixels in chunk:
            try:
                if isinstance(pixels, InputError):
                    raise pixels
                record.matching  # noqa: B018  (checks the captions before anything is encoded)
                good.append((record, pixels))
            except InputError as error:
                if policy.on_error == "fail":
                    failure = error
                    break
                policy.bad(error)
        yield from _score_batch(good, clip)
        if failure:
            policy.bad(failure)


def _score_batch(batch: Sequence[tuple[Record, Tensor]], clip: Clip) -> Iterator[Record]:
    if not batch:
        return
    captions = {caption: 0 for record, _ in batch for caption in record.matching.captions}
    positions = {caption: position for position, caption in enumerate(captions)}
    with torch.inference_mode():
        images = clip.encode_images(torch.cat([pixels for _, pixels in batch])).cpu().numpy()
        texts = clip.encode_captions(list(captions)).cpu().numpy()
    start = 0
    for record, pixels in batch:
        rows = images[start : start + len(pixels)]
        columns = texts[[positions[caption] for caption in record.matching.captions]]
        start += len(pixels)
        yield add_scores(record, np.asarray(rows), np.asarray(columns))
