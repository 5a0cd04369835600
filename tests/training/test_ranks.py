"""Several real processes against one: the same loss, thresholds, gradients, and endings."""

import io
import json
import os
import re
import signal
import socket
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from hnclip_cli.cli import cli
from hnclip_cli.models.load import load_clip
from hnclip_cli.models.text_decoder import TextDecoder
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.training import checkpoints, loop
from hnclip_cli.training.batches import collate, make_sample
from hnclip_cli.training.config import TrainConfig, slots_of
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.gradients import GradientSum
from hnclip_cli.training.step import forward_backward
from hnclip_cli.training.store import RecordStore
from tests.conftest import parse_lines, to_lines
from tests.factories import make_records, with_further_texts
from tests.models.tiny_t5 import make_t5
from tests.ranks import start_ranks

pytestmark = pytest.mark.long
NUM_ROWS = 7
# With three processes one has no rows: all of its images may have been damaged.
ROWS = {2: [range(0, 3), range(3, 7)], 3: [range(0, 5), range(0, 0), range(5, 7)]}
CASES = [(name, size) for name in ("ce-clip", "fsc-clip", "siglip-hn", "read") for size in (0, 2)]
TRAIN = ["train", "--model", "hnclip-tiny-vit", "--batch-size", "5", "--log-every", "1"]
# What two processes do one after the other, and the arguments of `train`.
PLAIN = ["--objective", "ce-clip"]
RUNS = {
    "pipe": [*PLAIN, "--steps", "3", "-o", "pipe"],
    "stopped": [*PLAIN, "--steps", "3", "-o", "stopped"],
    "generations": [
        "--steps", "5", "-o", "generations", "--objective", "iterated",
        "--set", "generation_steps", "2", "--set", "smoothing_steps", "1",
    ],
    "head": ["--steps", "3", "-o", "head", "--objective", "clap", "--lr", "1e-2"],
    "unsaved": [*PLAIN, "--steps", "3", "-o", "unsaved", "--checkpoint-every", "1", "r.jsonl"],
    "damaged": [*PLAIN, "--steps", "9", "-o", "damaged", "bad.jsonl"],
    "skipped": [*PLAIN, "--steps", "3", "-o", "skipped", "--on-error", "skip", "bad.jsonl"],
    "unvalidated": [*PLAIN, "--steps", "3", "-o", "unvalidated", "--val", "bad.jsonl", "r.jsonl"],
    "killed": [*PLAIN, "--steps", "100000", "-o", "killed", "r.jsonl"],  # last: ends a process
}  # fmt: skip


def make_step(folder):
    """A function that gives loss, thresholds and summed gradients over some of seven rows."""
    with open(f"{folder}/r.jsonl", "rb") as stream:
        reader = RecordReader(io.BytesIO(stream.read()), "x.jsonl")
    store = RecordStore(reader, str(folder), ErrorPolicy(), ["paraphrases"])
    plain = load_clip("hnclip-tiny-vit", device="cpu", sigmoid=True)
    plain.module.double()
    t5 = f"{folder}/t5"
    decoder = TextDecoder(t5, plain.embed_dim, seed=0, device=plain.device).double()

    def step(ranks, objective, micro_batch, rows):
        rebuilds = objective == "read"
        clip = replace(plain, decoder=decoder) if rebuilds else plain
        config = TrainConfig(
            objective=objective, micro_batch=micro_batch, decoder=t5 if rebuilds else None
        )
        slots = slots_of(config, store.has_negative_images)
        batch = collate([make_sample(store, row, 0, clip, slots, 0) for row in rows], slots, clip)
        batch.pixels = batch.pixels.double()
        thresholds = torch.full((len(store.threshold_names),), 2.0, dtype=torch.float64)
        with GradientSum(clip.parameters, ranks) as gradients:
            for _ in range(2):  # in the second step sums are begun in the middle of it
                for parameter in clip.parameters:
                    parameter.grad = None
                outcome = forward_backward(clip, batch, config, thresholds, ranks=ranks)
                gradients.finish()
        found = {"loss": outcome.loss.detach().clone(), "thresholds": outcome.thresholds}
        for name, parameter in clip.module.named_parameters():
            if parameter.grad is not None:
                found[name] = parameter.grad.contiguous()
        if rebuilds:
            found["decoder"] = decoder.layer.weight.grad
        # Of tens of thousands of tokens only these occur: less to write and to read.
        tokens = found["token_embedding.weight"].any(dim=1).nonzero()[:, 0]
        found["token_embedding.weight"] = found["token_embedding.weight"][tokens]
        found["tokens"] = tokens.double()
        return found

    return step


def work(rank, folder, ports):
    """What each of the three processes does; the third takes part in the first meeting only."""
    torch.set_num_threads(1)
    os.chdir(folder)
    os.dup2(os.open(f"said-{rank}", os.O_WRONLY | os.O_CREAT), 2)  # what is no Python's too
    step = make_step(folder)
    for size in (3, 2):
        if rank < size:
            store = dist.FileStore(f"{folder}/meeting{size}", size)
            dist.init_process_group(
                "gloo", store=store, rank=rank, world_size=size, timeout=timedelta(seconds=120)
            )
            for objective, micro_batch in CASES:
                found = step(Ranks(rank, size), objective, micro_batch, ROWS[size][rank])
                save_file(found, f"{folder}/{size}-{rank}-{objective}-{micro_batch}.safetensors")
            dist.destroy_process_group()
    if rank < 2:
        with pytest.MonkeyPatch.context() as patch:
            for name, port in zip(RUNS, ports, strict=True):
                run_command(patch, rank, name, port)


def run_command(patch, rank, name, port):
    """One of `RUNS`, as torchrun or srun would start it; leaves NAME-RANK.json."""
    place = {"WORLD_SIZE": 2, "RANK": rank, "LOCAL_RANK": rank, "MASTER_ADDR": "localhost"}
    if name == "killed":
        for variable in place:
            patch.delenv(variable)
        place = {
            "SLURM_STEP_NUM_TASKS": 2, "SLURM_STEP_NODELIST": "localhost", "SLURM_JOB_ID": 7,
            "SLURM_PROCID": rank, "SLURM_LOCALID": rank,
        }  # fmt: skip
    for variable, value in {**place, "MASTER_PORT": port}.items():
        patch.setenv(variable, str(value))
    with pytest.MonkeyPatch.context() as faults:
        if name == "stopped" and rank == 1:
            faults.setattr(loop, "forward_backward", signaled_in_step(2, signal.SIGUSR1))
        if name == "killed" and rank == 1:
            faults.setattr(loop, "forward_backward", signaled_in_step(2, signal.SIGKILL))
        if name == "unsaved" and rank == 0:
            faults.setattr(checkpoints, "save_state", no_room)
        records = Path("r.jsonl").read_bytes() if rank == 0 else b""
        result = CliRunner().invoke(cli, [*TRAIN, *RUNS[name]], input=records)
    if dist.is_initialized():  # a failure leaves that to the end of the process
        dist.destroy_process_group()
    said = {"code": result.exit_code, "stdout": result.stdout, "stderr": result.stderr}
    Path(f"{name}-{rank}.json").write_text(json.dumps(said))


def signaled_in_step(number, signum):
    real = loop.forward_backward

    def forward_backward(*args, step, **options):
        if step + 1 == number:
            os.kill(os.getpid(), signum)
        return real(*args, step=step, **options)

    return forward_backward


def no_room(*args, **options):
    raise OSError(28, "No space left on device")


def free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("localhost", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the processes have left behind; they are started once for all tests."""
    folder = tmp_path_factory.mktemp("ranks")
    make_t5(folder / "t5")
    records = with_further_texts(make_records(folder, NUM_ROWS))
    records[1]["negatives"] = []
    records[4]["image"] = records[0]["image"]
    records[5]["negatives"] = records[5]["negatives"][:1]
    (folder / "r.jsonl").write_bytes(to_lines(*records))
    (folder / "bad.png").write_bytes(b"no image")
    (folder / "bad.jsonl").write_bytes(
        to_lines(*(record | {"image": "bad.png"} if record["id"] in ("r2", "r6") else record
                   for record in records))
    )  # fmt: skip
    ports = free_ports(len(RUNS))
    processes = start_ranks(work, (str(folder), ports), 3).processes
    for process in processes:
        process.join()
    said = [(folder / f"said-{rank}").read_text() for rank in range(3)]
    assert [process.exitcode for process in processes] == [0, -signal.SIGKILL, 0], said
    return folder


def ends(folder, name):
    return [json.loads((folder / f"{name}-{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize("size", [2, 3])
def test_processes_together_do_what_one_does(folder, size):
    step = make_step(folder)
    expected = {
        objective: step(Ranks(), objective, 0, range(NUM_ROWS))
        for objective in dict.fromkeys(objective for objective, _ in CASES)
    }
    for rank in range(size):
        for objective, micro_batch in CASES:
            name = f"{size}-{rank}-{objective}-{micro_batch}.safetensors"
            found = load_file(folder / name)
            assert found.keys() == expected[objective].keys()
            for key, value in found.items():
                difference = (value - expected[objective][key]).norm()
                assert difference <= 1e-6 * expected[objective][key].norm(), (name, key)


def test_two_processes_train_from_one_pipe(folder, monkeypatch):
    first, second = ends(folder, "pipe")
    assert (first["code"], second["code"], second["stdout"]) == (0, 0, ""), (first, second)
    monkeypatch.chdir(folder)
    alone = CliRunner().invoke(cli, [*TRAIN, *PLAIN, "--steps", "3", "-o", "alone", "r.jsonl"])
    assert alone.exit_code == 0, alone.stderr
    together, single = parse_lines(first["stdout"].encode()), parse_lines(alone.stdout_bytes)
    assert [line["step"] for line in together] == [1, 2, 3]
    for one, other in zip(together, single, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)
        assert one["thresholds"] == pytest.approx(other["thresholds"], rel=1e-4, abs=1e-5)
    same_weights(folder, "alone", "pipe")


def test_two_processes_begin_the_same_generations(folder, monkeypatch):
    first, _ = ends(folder, "generations")
    monkeypatch.chdir(folder)
    command = [*TRAIN, *RUNS["generations"]]
    command[command.index("generations")] = "taught"
    alone = CliRunner().invoke(cli, [*command, "r.jsonl"])
    assert alone.exit_code == 0, alone.stderr
    together, single = parse_lines(first["stdout"].encode()), parse_lines(alone.stdout_bytes)
    assert [line["generation"] for line in together] == [0, 0, 1, 1, 2]
    assert [line["smoothing"] for line in together] == [False, False, True, False, True]
    assert [line["loss"] for line in together] == pytest.approx([x["loss"] for x in single])
    same_weights(folder, "taught", "generations")


def test_two_processes_train_one_head(folder, monkeypatch):
    first, second = ends(folder, "head")
    assert (first["code"], second["code"], second["stdout"]) == (0, 0, ""), (first, second)
    monkeypatch.chdir(folder)
    command = [*TRAIN, *RUNS["head"]]
    command[command.index("head")] = "one"
    alone = CliRunner().invoke(cli, [*command, "r.jsonl"])
    assert alone.stdout == first["stdout"]
    same_weights(folder, "one", "head", "hnclip_head.safetensors")


def same_weights(folder, one, other, file="open_clip_model.safetensors"):
    weights = [load_file(folder / name / file) for name in (one, other)]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=1e-4, atol=1e-5)


def test_a_signal_to_one_process_stops_all_and_one_process_can_go_on(folder, monkeypatch):
    for end in ends(folder, "stopped"):
        assert end["code"] == 75
        assert (
            end["stderr"]
            == "hnclip: stopped by a signal after step 2, with the state saved; --resume goes on\n"
        )
    monkeypatch.chdir(folder)
    rest = CliRunner().invoke(cli, [*TRAIN, *RUNS["stopped"], "--resume", "r.jsonl"])
    assert rest.exit_code == 0, rest.stderr
    assert [line["step"] for line in parse_lines(rest.stdout_bytes)] == [3]
    same_weights(folder, "pipe", "stopped")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("unsaved", "No space left on device"),
        ("unvalidated", "bad.jsonl:3: image cannot be decoded"),
        ("damaged", "bad.jsonl:[37]: image cannot be decoded"),
    ],
)
def test_what_one_process_cannot_do_ends_all(folder, name, reason):
    found = ends(folder, name)
    assert [end["code"] for end in found] == [1, 1]
    assert all(end["stderr"].count("\n") == 1 for end in found)  # a line each
    said = "".join(end["stderr"] for end in found)
    assert re.search(reason, said)


def test_what_one_process_skips_is_in_the_exit_code_of_all(folder):
    found = ends(folder, "skipped")
    assert [end["code"] for end in found] == [3, 3]
    assert "bad record" in found[0]["stderr"].splitlines()[-1]


def test_the_others_notice_that_a_process_was_killed(folder):
    end = json.loads((folder / "killed-0.json").read_text())
    assert end["code"] == 1 and '"step":1,' in end["stdout"]
    assert end["stderr"].startswith("hnclip: another process of this run ended")
    assert end["stderr"].count("\n") == 1
    assert (folder / "said-0").read_text() == ""
