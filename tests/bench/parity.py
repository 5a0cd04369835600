"""How far embeddings are from open_clip's own, with ViT-B-32 of random weights saved once.

    python -m tests.bench.parity DATA      DATA: a folder with coco/pairs.jsonl and its images

Prints one JSON line: the largest difference of any coordinate, images and captions.
"""

import argparse
import json
import tempfile
from pathlib import Path

import open_clip
import torch
from PIL import Image
from safetensors.torch import save_file

from hnclip_cli.models.load import load_clip
from hnclip_cli.models.pixels import PixelLoader
from hnclip_cli.streams.jsonl import RecordReader
from tests.bench.machine import describe

NUM_RECORDS = 64
BAR = 1e-5


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    root = parser.parse_args().data / "coco"
    with open(root / "pairs.jsonl", "rb") as stream:
        records = [record for _, record in zip(range(NUM_RECORDS), RecordReader(stream))]  # noqa: B905
    captions = [record.caption for record in records]

    with tempfile.TemporaryDirectory() as folder:
        weights = str(Path(folder) / "weights.safetensors")
        torch.manual_seed(0)
        save_file(open_clip.create_model("ViT-B-32").state_dict(), weights)
        clip = load_clip("ViT-B-32", weights, preprocess_of="default", device="cpu")
        module, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32", weights)
    module.eval()

    load = PixelLoader(clip, str(root), workers=0)
    ours = clip.encode_images(torch.stack([load(r, r.image) for r in records]))
    pixels = torch.stack([preprocess(Image.open(root / record.image)) for record in records])
    image_difference = (ours - module.encode_image(pixels, normalize=True)).abs().max().item()
    tokens = open_clip.get_tokenizer("ViT-B-32")(captions)
    texts = module.encode_text(tokens, normalize=True)
    caption_difference = (clip.encode_captions(captions) - texts).abs().max().item()
    figure = {
        "benchmark": "parity",
        "largest_difference": max(image_difference, caption_difference),
        "bar": BAR,
        "images": image_difference,
        "captions": caption_difference,
        "records": len(records),
        "machine": describe(),
    }
    print(json.dumps(figure))


if __name__ == "__main__":
    main()
