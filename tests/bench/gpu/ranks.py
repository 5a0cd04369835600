"""Stage: gradients summed by NCCL while the backward pass goes on, on as many GPUs as there are.

One GPU is enough for the code path: a group of one process, whose sums are what they were.
"""

import os
import socket
from typing import Any

import open_clip
import torch
import torch.distributed as dist
import torch.nn.functional as F

from hnclip_cli.models.text import encode_text
from hnclip_cli.models.vision import encode_image
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.gradients import GradientSum
from tests.bench.gpu.kit import Kit, captions_of, difference, make_model, pixels_of, texts_of


def main() -> None:
    kit = Kit.from_arguments()
    size = 1 if kit.small else torch.cuda.device_count()
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    if size == 1:
        work(0, kit, size, port)
    else:
        torch.multiprocessing.start_processes(work, (kit, size, port), size, start_method="spawn")


def work(rank: int, kit: Kit, size: int, port: int) -> None:
    if kit.device.type == "cuda":
        torch.cuda.set_device(rank)
    place = {"MASTER_ADDR": "localhost", "MASTER_PORT": port, "RANK": rank, "WORLD_SIZE": size}
    os.environ |= {name: str(value) for name, value in place.items()}
    dist.init_process_group("gloo" if kit.small else "cpu:gloo,cuda:nccl")
    module = make_model(kit, "ViT-B-32")
    batch = 4 if kit.small else 256
    pixels = pixels_of(kit, module, batch)
    tokens = open_clip.get_tokenizer("ViT-B-32")(texts_of(captions_of(kit, batch), 0))

    def backward() -> None:
        module.zero_grad()
        with torch.autocast(kit.device.type, torch.bfloat16):
            images, texts = encode_image(module, pixels), encode_text(module, tokens)
        logits = 10 * F.normalize(images.float(), dim=-1) @ F.normalize(texts.float(), dim=-1).T
        F.cross_entropy(logits, torch.arange(batch, device=logits.device)).backward()

    backward()
    plain = gradients_of(module)
    # Two processes or more, so that sums are sent; every process does the same.
    with GradientSum(module.parameters(), Ranks(rank, max(2, size))) as summed:

        def together() -> None:
            backward()
            summed.finish()

        for _ in range(2):
            together()
        found = gradients_of(module)
        alone, both = kit.milliseconds(backward, together)
    if rank == 0:
        far = max(difference(found[name], size * plain[name]) for name in plain)
        kit.say(f"gradients summed over {size} GPUs: largest difference", far, at_most=1e-2)
        kit.say(
            "forward and backward pass of ViT-B-32 with the sum, by without", both / alone,
            milliseconds=[alone, both], gpus=size,
        )  # fmt: skip
    dist.destroy_process_group()


def gradients_of(module: Any) -> dict[str, torch.Tensor]:
    return {
        name: parameter.grad.clone()
        for name, parameter in module.named_parameters()
        if parameter.grad is not None
    }


if __name__ == "__main__":
    main()
