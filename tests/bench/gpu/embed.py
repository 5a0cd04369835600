"""Stage d: captions and photographs a second of embed, against plain loops over open_clip."""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import Compose

from hnclip_cli.embedding.embed import embed_blocks
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.encoder import Encoder
from hnclip_cli.models.text import encode_text
from hnclip_cli.streams.jsonl import RecordReader
from hnclip_cli.streams.pace import Pace
from tests.bench.gpu.kit import Kit, captions_of, make_model, texts_of

WORKERS = 16


def main() -> None:
    kit = Kit.from_arguments()
    module = make_model(kit, "ViT-B-32").eval()
    captions(kit, module)
    photographs(kit, module)


def captions(kit: Kit, module: Any) -> None:
    count = 64 if kit.small else 40960
    texts = list(dict.fromkeys(texts_of(captions_of(kit, count // 2), 4)))[:count]
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    started = time.perf_counter()
    tokens = tokenizer(texts)
    kit.say("open_clip's tokenizer, texts/s", len(texts) / (time.perf_counter() - started))
    on_device = tokens.to(kit.device)

    def theirs(size: int) -> Callable[[], object]:
        @torch.inference_mode()
        def run() -> None:
            with torch.autocast(kit.device.type, torch.bfloat16):
                for part in on_device.split(size):
                    module.encode_text(part)

        return run

    @torch.inference_mode()
    def ours() -> None:
        with torch.autocast(kit.device.type, torch.bfloat16):
            for part in tokens.split(4096):
                encode_text(module, part)

    sizes = [16] if kit.small else [256, 1024, 4096]
    *others, mine = kit.milliseconds(*map(theirs, sizes), ours)
    best = min(others)
    kit.say("open_clip's encode_text, bf16, captions/s", 1000 * len(texts) / best)
    kit.say("hnclip's encode_text, bf16, captions/s", 1000 * len(texts) / mine)
    kit.say(
        "ViT-B-32 text tower, bf16: captions/s by open_clip's at its best batch size",
        best / mine, at_least=4.0,
        milliseconds=dict(zip(map(str, sizes), others, strict=True)) | {"hnclip": mine},
    )  # fmt: skip
    model = make_clip(kit, module)
    records = kit.work / "captions.jsonl"
    records.write_text("".join(json.dumps({"caption": text}) + "\n" for text in texts))
    runs = [run_embed(records, model, "caption", ".", 0) for _ in range(1 if kit.small else 2)]
    seconds, pace = min(runs, key=lambda run: run[0])
    kit.say(
        "embed of captions, tokenizing too: captions/s", len(texts) / seconds, at_least=20_000,
        first=len(texts) / runs[0][0], pace=str(pace),
    )  # fmt: skip


def make_clip(kit: Kit, module: Any) -> Clip:
    preprocess = open_clip.image_transform(module.visual.image_size, is_train=False)
    config = open_clip.get_model_config("ViT-B-32")
    if kit.small:
        config["embed_dim"] = 32
    return Clip(module, preprocess, open_clip.get_tokenizer("ViT-B-32"), config, kit.device, "bf16")


def run_embed(records: Path, model: Clip, of: Any, root: str, workers: int) -> tuple[float, Pace]:
    """Seconds from records to rows, and the pace behind the first batch."""
    pace = Pace(of, workers)
    started = time.perf_counter()
    with open(records, "rb") as stream:
        encoder = Encoder(model, batch_size=256, image_root=root, workers=workers)
        for _ in embed_blocks(RecordReader(stream, str(records)), of, encoder, pace=pace):
            pass
    return time.perf_counter() - started, pace


class Photographs(Dataset[torch.Tensor]):
    def __init__(self, names: list[Path], preprocess: Compose) -> None:
        self.names, self.preprocess = names, preprocess

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> torch.Tensor:
        with Image.open(self.names[index]) as image:
            return self.preprocess(image.convert("RGB"))


def photographs(kit: Kit, module: Any) -> None:
    """JPEG files of COCO's usual size, 640 × 480, each a file of its own."""
    names = make_photographs(kit, 24 if kit.small else 4800)
    records = kit.work / "photographs.jsonl"
    records.write_text("".join(json.dumps({"image": str(name)}) + "\n" for name in names))
    model = make_clip(kit, module)
    workers = 2 if kit.small else WORKERS

    def ours() -> tuple[float, Pace, float]:
        before = processor_seconds()
        seconds, pace = run_embed(records, model, "image", "/", workers)
        return seconds, pace, (processor_seconds() - before) / seconds / workers

    @torch.inference_mode()
    def theirs() -> float:
        started = time.perf_counter()
        loader = DataLoader(
            Photographs(names, model.preprocess), batch_size=256, num_workers=workers,
            pin_memory=kit.device.type == "cuda",
        )  # fmt: skip
        with torch.autocast(kit.device.type, torch.bfloat16):
            for pixels in loader:
                module.encode_image(pixels.to(kit.device, non_blocking=True)).float().cpu()
        return time.perf_counter() - started

    torch.set_num_threads(1 if kit.small else 4)
    rounds = [(ours(), theirs()) for _ in range(1 if kit.small else 2)]
    mine, pace, busy = min(run for run, _ in rounds)
    other = min(seconds for _, seconds in rounds)
    kit.say(
        "embed of photographs: images/s", len(names) / mine, pace=str(pace), decoders_busy=busy,
        all=[len(names) / run[0] for run, _ in rounds],
    )  # fmt: skip
    kit.say(
        "DataLoader loop of 16 workers: images/s", len(names) / other,
        all=[len(names) / seconds for _, seconds in rounds],
    )  # fmt: skip
    ratios = [seconds / run[0] for run, seconds in rounds]
    kit.say("embed of photographs by the DataLoader loop, worst round", min(ratios), at_least=1.2)


def processor_seconds() -> float:
    """Of processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def make_photographs(kit: Kit, count: int) -> list[Path]:
    folder = kit.work / "photographs"
    folder.mkdir(exist_ok=True)
    names = []
    for number, source in enumerate(sorted((kit.data / "images").glob("*.jpg"))[:160]):
        with Image.open(source) as image:
            first = folder / f"{number}-0.jpg"
            image.convert("RGB").resize((640, 480)).save(first, quality=90)
        data = first.read_bytes()
        names.append(first)
        for copy in range(1, -(-count // 160)):
            name = folder / f"{number}-{copy}.jpg"
            name.write_bytes(data)
            names.append(name)
    return names[:count]


if __name__ == "__main__":
    sys.exit(main())
