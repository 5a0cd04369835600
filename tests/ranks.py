"""Processes that work together, as the ranks of a run do."""

import multiprocessing

import torch


def start_ranks(work, args, count):
    """Call ``work(rank, *args)`` in so many processes; they are forks of one that imports once."""
    multiprocessing.set_forkserver_preload(["hnclip_cli.training.run"])
    return torch.multiprocessing.start_processes(
        work, args, nprocs=count, join=False, start_method="forkserver"
    )


def run_ranks(work, args, count):
    """The same, and wait for them; an error of one is raised."""
    started = start_ranks(work, args, count)
    while not started.join():
        pass
