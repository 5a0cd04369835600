"""Images a second of hnclip embed against a bare loop of open_clip's preprocess and encode_image.

    HNCLIP_TEST_DATA=DATA python -m tests.bench.embed_images [--workers 2] [--rounds 3]

ViT-B-32 of random weights on the CPU, the distinct photographs of the data, batches of the same
size on both sides, records in and rows out. Alternated, medians. Prints one JSON line: the
ratio, and the largest difference of any coordinate.
"""

import argparse
import io
import json
import os
from pathlib import Path

import numpy as np
import open_clip
import torch
from PIL import Image

from hnclip_cli.embedding.embed import embed
from hnclip_cli.models.clip import Clip
from hnclip_cli.streams.jsonl import RecordReader
from tests.bench.machine import describe
from tests.bench.rounds import alternate, ratio

MODEL = "ViT-B-32"
BARS = {"ratio": 1.0, "largest_difference": 1e-5}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--count", type=int, default=160)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    root = Path(os.environ["HNCLIP_TEST_DATA"]) / "coco"
    with open(root / "pairs.jsonl", "rb") as stream:
        images = list(dict.fromkeys(record.image for record in RecordReader(stream)))[: args.count]
    data = b"".join(json.dumps({"image": image}).encode() + b"\n" for image in images)
    torch.manual_seed(0)
    module, _, preprocess = open_clip.create_model_and_transforms(MODEL)
    module.eval()
    config = open_clip.get_model_config(MODEL)
    clip = Clip(module, preprocess, open_clip.get_tokenizer(MODEL), config, torch.device("cpu"))

    found: dict[str, np.ndarray] = {}

    def ours() -> None:
        found["ours"] = embed(
            RecordReader(io.BytesIO(data)), "image", model=clip, batch_size=args.batch_size,
            image_root=str(root), workers=args.workers,
        )  # fmt: skip

    @torch.inference_mode()
    def theirs() -> None:
        rows = []
        for start in range(0, len(images), args.batch_size):
            names = images[start : start + args.batch_size]
            pixels = torch.stack([preprocess(Image.open(root / name)) for name in names])
            rows.append(module.encode_image(pixels, normalize=True))
        found["theirs"] = torch.cat(rows).numpy()

    mine, other = alternate(args.rounds, ours, theirs)
    difference = np.abs(found["ours"] - found["theirs"]).max()
    figure = {
        "benchmark": "embed_images",
        "ratio": ratio(mine, other),
        "largest_difference": float(difference),
        "hnclip": mine.figures(len(images)),
        "open_clip": other.figures(len(images)),
        "bars": BARS,
        "images": len(images),
        "batch_size": args.batch_size,
        "workers": args.workers,
        "threads": torch.get_num_threads(),
        "machine": describe(),
    }
    print(json.dumps(figure))


if __name__ == "__main__":
    main()
