"""InpaintCOCO (Rösch et al. 2024, arXiv:2403.02875): a COCO photograph and a part of it repainted.

It is published as parquet files that hold the images themselves. They are unpacked into the
folder of the images, so that records can name them.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from hnclip_cli.benchmarks import Benchmark, winoground
from hnclip_cli.errors import HnclipError
from hnclip_cli.sources.benchmarks.files import Files, reader
from hnclip_cli.sources.benchmarks.items import PAIRS, Item
from hnclip_cli.streams.files import atomic_output

FILES = tuple(f"test-{part:05d}-of-00003.parquet" for part in range(3))
SIDES = ("coco", "inpaint")
COLUMNS = ["concept", *(f"{side}_{what}" for side in SIDES for what in ("caption", "image"))]

_ENDINGS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg"}
_ROWS = 16  # held in memory beside what the file keeps together


def _record(item: Item) -> dict[str, Any]:
    """Some rows have no second caption; each is a bad item."""
    concept = item.text("concept")
    captions = [item.text(f"{side}_caption") for side in SIDES]
    return item.record(
        subset=concept,
        images=[_unpacked(item, side) for side in SIDES],
        captions=captions,
        truth=PAIRS,
        tags={"concept": concept},
    )


def _items(files: Files) -> Iterator[Item]:
    """
    Raises:
        HnclipError: pyarrow is not installed, or a file is no such parquet file.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise HnclipError(
            "pyarrow is not installed", hint="pip install 'hnclip[parquet]'"
        ) from None
    for path in files.paths(FILES):
        part = int(os.path.basename(path).split("-")[1])
        try:
            with parquet.ParquetFile(path) as file:
                if absent := [name for name in COLUMNS if name not in file.schema_arrow.names]:
                    raise HnclipError(
                        "not an official file", where=path, expected=f"also {' '.join(absent)}"
                    )
                batches = file.iter_batches(_ROWS, columns=COLUMNS)
                rows = (row for batch in batches for row in batch.to_pylist())
                for index, row in enumerate(rows):
                    yield Item(row, files, path, f"{part}/{index}")
        except (ArrowException, OSError) as error:
            reason = str(error).partition("\n")[0]
            raise HnclipError(f"broken parquet ({reason})", where=path) from None


def _unpacked(item: Item, side: str) -> str:
    """The path of an image after it was written there."""
    data = item.field(f"{side}_image", dict).get("bytes")
    if not isinstance(data, bytes):
        raise item.error(f'field "{side}_image" holds no image')
    ending = next((end for magic, end in _ENDINGS.items() if data.startswith(magic)), None)
    if ending is None:
        raise item.error(f'field "{side}_image" is neither PNG nor JPEG', got=repr(data[:4]))
    name = f"{item.key.replace('/', '-')}-{side}.{ending}"
    path = os.path.join(item.files.images, name)
    if not _holds(path, data):
        with atomic_output(path) as stream:
            stream.write(data)
    return path


def _holds(path: str, data: bytes) -> bool:
    with contextlib.suppress(OSError), open(path, "rb") as stream:
        return stream.read() == data
    return False


INPAINTCOCO = Benchmark(
    reader(_items, _record),
    winoground(),
    path="the folder of " + " ".join(FILES),
    images="any folder: the images of the parquet files are written into it",
    source="https://huggingface.co/datasets/phiyodr/InpaintCOCO",
    items=1260,
    metric="text, image and group score",
    aggregation="micro; concepts apart",
)
