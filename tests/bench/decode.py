"""Images a second from file to pixels: one after another, in threads, in processes.

python -m tests.bench.decode [--workers 2] [--side 0] [--rounds 5] [--repeat 4] [--busy]

The preprocessing is that of ViT-B-32, the files are the photographs of HNCLIP_TEST_DATA. Every
way is timed in every round, after its first images, so that a process's start counts for itself
(``start_s``). --side N writes the photographs anew with a shorter side of N pixels first; --busy
lets the main thread run Python meanwhile, as a training loop does.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from hnclip_cli.models.clip import Clip
from hnclip_cli.models.pixels import PixelLoader
from hnclip_cli.streams.records import Record
from hnclip_cli.streams.threads import map_ahead
from tests.bench.machine import describe
from tests.conftest import ROOT

WARM_UP = 32


class Files(Dataset):
    """What a DataLoader needs; the sampler hands it names."""

    def __init__(self, clip, root):
        self.clip, self.root = clip, root

    def __getitem__(self, name):
        return PixelLoader(self.clip, self.root, workers=0)(Record({"image": name}), name)


def one_thread(_):
    torch.set_num_threads(1)


def dataloader(records, clip, root, workers):
    names = [record.image for record in records]
    return iter(
        DataLoader(
            Files(clip, root), sampler=names, batch_size=None, num_workers=workers,
            prefetch_factor=max(1, 64 // workers), multiprocessing_context="spawn",
            worker_init_fn=one_thread,
        )
    )  # fmt: skip


def processes(records, clip, root, workers):
    with PixelLoader(clip, root, workers) as load:
        for _, (image,) in load.ahead(records, lambda one: (one, [(one, one.image, ())]), 64):
            yield image


def ways(clip, root, workers):
    in_line = PixelLoader(clip, root, workers=0)

    def load(record):
        return in_line(record, record.image)

    return {
        "plain": lambda records: map(load, records),
        "threads": lambda records: map_ahead(load, records, workers),
        "processes": lambda records: processes(records, clip, root, workers),
        "dataloader": lambda records: dataloader(records, clip, root, workers),
    }


def images_per_second(iterator, total, busy):
    started = time.perf_counter()
    next(iterator)
    start = time.perf_counter() - started
    for _ in range(WARM_UP - 1):
        next(iterator)
    started = time.perf_counter()
    for _ in iterator:
        if busy:
            sum(range(busy))  # holds the interpreter's lock
    return (total - WARM_UP) / (time.perf_counter() - started), start


def resized(folder, side, target):
    for path in sorted(folder.glob("*.jpg")):
        image = Image.open(path)
        factor = side / min(image.size)
        size = [round(length * factor) for length in image.size]
        image.resize(size, Image.Resampling.BICUBIC).save(Path(target) / path.name, quality=90)
    return Path(target)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--side", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=4)
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--only", nargs="*")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = Path(os.environ.get("HNCLIP_TEST_DATA", ROOT.parent / "shared" / "data"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = data / "coco" / "images"
        if arguments.side:
            folder = resized(folder, arguments.side, scratch)
        preprocess = image_transform_v2(PreprocessCfg(), is_train=False)
        clip = Clip(None, preprocess, None, {}, torch.device("cpu"))
        names = sorted(path.name for path in folder.glob("*.jpg")) * arguments.repeat
        records = [Record({"image": name}) for name in names]
        chosen = ways(clip, str(folder), arguments.workers)
        rates = {way: [] for way in chosen}
        starts = {way: [] for way in chosen}
        for _ in range(arguments.rounds):
            for way, run in chosen.items():
                if arguments.only and way not in arguments.only:
                    continue
                rate, start = images_per_second(run(records), len(records), arguments.busy)
                rates[way].append(rate)
                starts[way].append(start)
    median = {way: statistics.median(values) for way, values in rates.items() if values}
    print(
        json.dumps(
            {
                "images_per_second": {way: round(rate, 1) for way, rate in median.items()},
                "to_plain": {way: round(rate / median["plain"], 2) for way, rate in median.items()},
                "start_s": {way: round(min(starts[way]), 2) for way in median},
                "workers": arguments.workers,
                "images": len(records),
                "shorter_side": arguments.side or "as it is",
                "busy": arguments.busy,
                "machine": describe(),
            }
        )
    )


if __name__ == "__main__":
    main()
