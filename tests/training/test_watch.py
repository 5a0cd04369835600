import os
import signal
from pathlib import Path

import pytest
import torch

from hnclip_cli.training import watch
from hnclip_cli.training.launch import joined
from hnclip_cli.training.place import Place
from tests.ranks import start_ranks
from tests.training.test_ranks import free_ports


def work(rank, folder, port, stopped):
    """One of the two stops itself, and the other waits for it."""
    watch.BEAT_SECONDS, watch.SILENT_SECONDS = 0.2, 2.0

    def lost(line):
        Path(folder, f"lost-{rank}").write_text(line)

    with joined(Place(rank, 2, rank, "localhost", port), torch.device("cpu"), lost) as ranks:
        ranks.max(torch.zeros(1))
        if rank == stopped:
            os.kill(os.getpid(), signal.SIGSTOP)
        ranks.max(torch.zeros(1))


@pytest.mark.parametrize("stopped", [0, 1])
def test_a_process_that_is_stopped_ends_the_others(tmp_path, stopped):
    (port,) = free_ports(1)
    processes = start_ranks(work, (str(tmp_path), port, stopped), 2).processes
    other = 1 - stopped
    try:
        processes[other].join(60)
        assert processes[other].exitcode == 1
    finally:
        processes[stopped].kill()
    line = (tmp_path / f"lost-{other}").read_text()
    assert f"rank {stopped} of 2 has not been heard of for 2 seconds" in line


def test_a_process_that_is_busy_is_not_taken_for_a_stopped_one(tmp_path):
    (port,) = free_ports(1)
    started = start_ranks(busy, (str(tmp_path), port), 2)
    while not started.join():
        pass
    assert not list(tmp_path.iterdir())


def busy(rank, folder, port):
    watch.BEAT_SECONDS, watch.SILENT_SECONDS = 0.1, 0.6

    def lost(line):
        Path(folder, f"lost-{rank}").write_text(line)

    with joined(Place(rank, 2, rank, "localhost", port), torch.device("cpu"), lost) as ranks:
        if rank == 1:
            signal.sigtimedwait([], 2)
        ranks.max(torch.zeros(1))
