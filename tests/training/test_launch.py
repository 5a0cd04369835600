import socket

import pytest
import torch

from hnclip_cli.errors import HnclipError
from hnclip_cli.training import launch
from hnclip_cli.training.launch import joined, own_device
from hnclip_cli.training.place import Place, find_place

TORCHRUN = {
    "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "n1", "MASTER_PORT": "29500",
}  # fmt: skip
SLURM = {
    "SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "5", "SLURM_LOCALID": "1",
    "SLURM_STEP_NODELIST": "gpu[07-09,12],login1", "SLURM_JOB_ID": "123456",
}  # fmt: skip


def test_nothing_set_is_a_single_process():
    assert find_place({}) is None
    assert find_place(TORCHRUN | {"WORLD_SIZE": "1", "RANK": "0"}) is None
    with joined(None, torch.device("cpu")) as ranks:
        assert ranks.size == 1


def test_torchrun_says_where_each_process_stands():
    assert find_place(TORCHRUN) == Place(3, 4, 1, "n1", 29500)


def test_a_slurm_step_needs_nothing_more():
    assert find_place(SLURM) == Place(5, 8, 1, "gpu07", 20000 + 123456 % 20000)
    own = find_place(SLURM | {"MASTER_ADDR": "other", "MASTER_PORT": "5000"})
    assert own is not None and (own.address, own.port) == ("other", 5000)


def test_a_batch_script_outside_of_srun_is_a_single_process():
    assert find_place({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "8", "SLURM_PROCID": "0"}) is None


@pytest.mark.parametrize(
    ("nodes", "first"),
    [("n1", "n1"), ("n1,n2", "n1"), ("a-b[3,5-7]", "a-b3"), ("r[1-2]c,x", "r1c")],
)
def test_the_first_host_of_a_node_list(nodes, first):
    place = find_place(SLURM | {"SLURM_STEP_NODELIST": nodes})
    assert place is not None and place.address == first


@pytest.mark.parametrize("missing", ["MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK", "RANK"])
def test_a_missing_variable_is_named(missing):
    environment = {name: value for name, value in TORCHRUN.items() if name != missing}
    with pytest.raises(HnclipError, match=f"^{missing} is not set; expected what torchrun"):
        find_place(environment)


def test_a_variable_that_is_no_number_is_named():
    with pytest.raises(HnclipError, match="SLURM_PROCID is no number; got 'x'"):
        find_place(SLURM | {"SLURM_PROCID": "x"})


def test_a_port_that_is_none_is_named():
    with pytest.raises(HnclipError, match="MASTER_PORT is no port; got 65536, expected 1 to 65535"):
        find_place(TORCHRUN | {"MASTER_PORT": "65536"})
    with pytest.raises(HnclipError, match="WORLD_SIZE is no number"):
        find_place(TORCHRUN | {"WORLD_SIZE": "9" * 5000})


def test_each_process_of_a_node_takes_its_own_gpu(monkeypatch):
    place = find_place(TORCHRUN)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert own_device(torch.device("cuda"), place) == torch.device("cuda:1")
    assert own_device(torch.device("cuda:3"), place) == torch.device("cuda:3")
    assert own_device(torch.device("cpu"), place) == torch.device("cpu")
    assert own_device(torch.device("cuda"), None) == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)  # srun --gpus-per-task=1
    assert own_device(torch.device("cuda"), place) == torch.device("cuda:0")


def test_others_that_do_not_come_are_not_waited_for_long(monkeypatch):
    monkeypatch.setattr(launch, "START_SECONDS", 1)
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "")  # restored afterwards
    place = Place(1, 2, 1, "localhost", 29123)
    message = r"localhost:\d+: rank 1 of 2 could not meet the others"
    with pytest.raises(HnclipError, match=message), joined(place, torch.device("cpu")):
        pass


def test_a_stranger_at_the_meeting_place_is_not_waited_for_long(monkeypatch):
    monkeypatch.setattr(launch, "START_SECONDS", 1)
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "")  # restored afterwards
    with socket.create_server(("localhost", 0)) as silent:
        place = Place(1, 2, 1, "localhost", silent.getsockname()[1])
        message = r"localhost:\d+: rank 1 of 2 could not meet the others \(no answer within 1 s\)"
        with pytest.raises(HnclipError, match=message), joined(place, torch.device("cpu")):
            pass
