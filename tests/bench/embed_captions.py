"""Captions a second of hnclip embed against open_clip's tokenizer and ``encode_text``.

    HNCLIP_TEST_DATA=DATA python -m tests.bench.embed_captions [--count 1024] [--rounds 3]

ViT-B-32 of random weights on the CPU, distinct COCO captions in the order of the file, records in
and rows out. Theirs takes a part of the captions, in batches of the same size. Alternated, medians.
Prints one JSON line: the ratio, and the largest difference of any coordinate.
"""

import argparse
import io
import json
import os
from pathlib import Path

import numpy as np
import open_clip
import torch

from hnclip_cli.embedding.embed import embed
from hnclip_cli.models.clip import Clip
from hnclip_cli.streams.jsonl import RecordReader
from tests.bench.machine import describe
from tests.bench.rounds import alternate, ratio

MODEL = "ViT-B-32"
BATCH_SIZE = 64
BARS = {"ratio": 5.0, "largest_difference": 1e-5}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1024)
    parser.add_argument("--their-count", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    source = Path(os.environ["HNCLIP_TEST_DATA"]) / "coco" / "captions.jsonl"
    with open(source, "rb") as stream:
        every = dict.fromkeys(record.caption for record in RecordReader(stream))
    captions = list(every)[: args.count]
    data = b"".join(json.dumps({"caption": caption}).encode() + b"\n" for caption in captions)
    torch.manual_seed(0)
    module = open_clip.create_model(MODEL).eval()
    tokenizer, config = open_clip.get_tokenizer(MODEL), open_clip.get_model_config(MODEL)

    found: dict[str, np.ndarray] = {}

    def ours() -> None:
        # A new one each time: it remembers tokens.
        clip = Clip(module, torch.nn.Identity(), tokenizer, config, torch.device("cpu"))
        reader = RecordReader(io.BytesIO(data))
        found["ours"] = embed(reader, "caption", model=clip, batch_size=BATCH_SIZE)

    @torch.inference_mode()
    def theirs() -> None:
        rows = [
            module.encode_text(tokenizer(captions[start : start + BATCH_SIZE]), normalize=True)
            for start in range(0, args.their_count, BATCH_SIZE)
        ]
        found["theirs"] = torch.cat(rows).numpy()

    mine, other = alternate(args.rounds, ours, theirs)
    difference = np.abs(found["ours"][: args.their_count] - found["theirs"]).max()
    figure = {
        "benchmark": "embed_captions",
        "ratio": ratio(mine, other, len(captions), args.their_count),
        "largest_difference": float(difference),
        "hnclip": mine.figures(len(captions)),
        "open_clip": other.figures(args.their_count),
        "bars": BARS,
        "captions": len(captions),
        "distinct_captions": len(set(captions)),
        "threads": torch.get_num_threads(),
        "machine": describe(),
    }
    print(json.dumps(figure))


if __name__ == "__main__":
    main()
