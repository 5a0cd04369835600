"""Several real processes against one: the same loss, thresholds and gradients."""

import io
import socket
import subprocess
import sys
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from safetensors.torch import load_file, save_file

from hnclip_cli.models.load import load_clip
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.training.config import TrainConfig
from hnclip_cli.training.data import RecordStore, collate, make_sample, slots_of
from hnclip_cli.training.distributed import Ranks, sum_gradients
from hnclip_cli.training.step import forward_backward
from tests.conftest import environment, parse_lines, to_lines
from tests.factories import make_records

NUM_ROWS = 7
OBJECTIVES = ["ce-clip", "fsc-clip"]
# With three processes one has no rows: all of its images may have been damaged.
ROWS = {2: [range(0, 3), range(3, 7)], 3: [range(0, 5), range(0, 0), range(5, 7)]}


def make_step(folder):
    """A function that gives loss, thresholds and summed gradients over some of seven rows."""
    with open(f"{folder}/r.jsonl", "rb") as stream:
        reader = RecordReader(io.BytesIO(stream.read()), "x.jsonl")
    store = RecordStore(reader, str(folder), ErrorPolicy())
    clip = load_clip("hnclip-tiny-vit", device="cpu")
    clip.module.double()

    def step(ranks, objective, micro_batch, rows):
        config = TrainConfig(objective=objective, micro_batch=micro_batch)
        slots = slots_of(config, store)
        batch = collate([make_sample(store, row, 0, clip, slots, 0) for row in rows], slots)
        batch.pixels = batch.pixels.double()
        thresholds = torch.full((len(store.threshold_names),), 2.0, dtype=torch.float64)
        clip.module.zero_grad()
        outcome = forward_backward(clip, batch, config, thresholds, ranks=ranks)
        sum_gradients(clip.module.parameters(), ranks)
        found = {"loss": outcome.loss.detach().clone(), "thresholds": outcome.thresholds}
        for name, parameter in clip.module.named_parameters():
            if parameter.grad is not None:
                found[name] = parameter.grad.contiguous()
        return found

    return step


def work(rank, size, folder):
    torch.set_num_threads(1)
    store = dist.FileStore(f"{folder}/meeting{size}", size)
    dist.init_process_group(
        "gloo", store=store, rank=rank, world_size=size, timeout=timedelta(seconds=120)
    )
    step = make_step(folder)
    for objective in OBJECTIVES:
        for micro_batch in (0, 2):
            found = step(Ranks(rank, size), objective, micro_batch, ROWS[size][rank])
            save_file(found, f"{folder}/{size}-{rank}-{objective}-{micro_batch}.safetensors")
    dist.destroy_process_group()


@pytest.mark.parametrize("size", [2, 3])
def test_processes_together_do_what_one_does(tmp_path, size):
    records = make_records(tmp_path, NUM_ROWS)
    records[1]["negatives"] = []
    records[4]["image"] = records[0]["image"]
    records[5]["negatives"] = records[5]["negatives"][:1]
    (tmp_path / "r.jsonl").write_bytes(to_lines(*records))
    mp.spawn(work, args=(size, str(tmp_path)), nprocs=size)
    step = make_step(tmp_path)
    for objective in OBJECTIVES:
        expected = step(Ranks(), objective, 0, range(NUM_ROWS))
        for rank in range(size):
            for micro_batch in (0, 2):
                name = f"{size}-{rank}-{objective}-{micro_batch}.safetensors"
                found = load_file(tmp_path / name)
                assert found.keys() == expected.keys()
                for key, value in found.items():
                    difference = (value - expected[key]).norm()
                    assert difference <= 1e-6 * expected[key].norm(), (name, key)


def train_in_processes(size, folder, *args):
    """`hnclip train` as torchrun would start it; the standard output of rank 0."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "hnclip_cli", "train", "--model", "hnclip-tiny-vit",
        "--batch-size", "5", "--log-every", "1", *args,
    ]  # fmt: skip
    places = {"WORLD_SIZE": str(size), "MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    processes = [
        subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=environment() | places | {
                "RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"
            },
        )
        for rank in range(size)
    ]  # fmt: skip
    records = (folder / "r.jsonl").read_bytes()
    outputs = [
        process.communicate(records if rank == 0 else b"", timeout=300)
        for rank, process in enumerate(processes)
    ]
    return [process.returncode for process in processes], outputs


def test_two_processes_train_from_one_pipe(tmp_path):
    records = make_records(tmp_path, NUM_ROWS)
    (tmp_path / "r.jsonl").write_bytes(to_lines(*records))
    codes, outputs = train_in_processes(2, tmp_path, "--steps", "3", "-o", "two")
    assert codes == [0, 0], outputs
    assert outputs[1][0] == b""
    codes, alone = train_in_processes(1, tmp_path, "--steps", "3", "-o", "one")
    assert codes == [0], alone
    together, single = parse_lines(outputs[0][0]), parse_lines(alone[0][0])
    assert [line["step"] for line in together] == [1, 2, 3]
    for one, other in zip(together, single, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)
        assert one["thresholds"] == pytest.approx(other["thresholds"], rel=1e-4, abs=1e-5)
    weights = [
        load_file(tmp_path / name / "open_clip_model.safetensors") for name in ("one", "two")
    ]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=1e-4, atol=1e-5)


def test_if_one_process_fails_the_others_end_too(tmp_path):
    records = make_records(tmp_path, NUM_ROWS)
    for name in ("1.png", "5.png"):
        (tmp_path / name).write_bytes(b"no image")
    (tmp_path / "r.jsonl").write_bytes(to_lines(*records))
    codes, outputs = train_in_processes(2, tmp_path, "--steps", "9", "-o", "run")
    assert codes == [1, 1]
    said = [output[1].decode() for output in outputs]
    assert any("image cannot be decoded" in text for text in said)
    assert all("Traceback" not in text for text in said)
