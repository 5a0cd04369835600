"""The objective on several processes: the numbers of one process with the whole batch."""

import datetime

import pytest
import torch
import torch.distributed as dist

from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.objectives.hard_negatives import hard_negative_objective
from tests.ranks import run_ranks
from tests.training.test_objective import gradients, make_batch

pytestmark = pytest.mark.long
BY_ROW = [
    "image_features",
    "text_features",
    "negative_features",
    "negative_mask",
    "negative_kinds",
    "groups",
]
WORLDS = (2, 3)

# Rows of each rank, and what else a case says. Ranks over the world's size hold none.
CASES = [
    {"counts": (3, 4, 2), "slots": 3},
    {"counts": (1, 5, 0), "slots": 2, "implementation": "dense"},
    {"counts": (0, 3, 4), "slots": 1, "groups": True, "chunk_size": 2},
    {"counts": (2, 2, 2), "slots": 4, "valid": 0.0},
    {"counts": (4, 1, 3), "slots": 0},
    {"counts": (1, 0, 0), "slots": 2},
    {"counts": (5, 2, 1), "slots": 2, "negative_scope": "own", "groups": True},
    {"counts": (2, 3, 1), "slots": 2, "negative_scope": "none", "chunk_size": 1},
    {"counts": (3, 4, 2), "slots": 3, "valid": 0.3, "scale": 100.0, "groups": True},
]


def whole_batch(case, world):
    counts = case["counts"][:world]
    size = sum(counts)
    batch = make_batch(
        size, case["slots"], valid=case.get("valid", 0.7), scale=case.get("scale", 12.0)
    )
    batch["groups"] = torch.arange(size) % 4 if case.get("groups") else None
    return batch, counts


def solve(batch, case, **options):
    for name in ("implementation", "negative_scope", "chunk_size"):
        if name in case:
            options.setdefault(name, case[name])
    result = hard_negative_objective(**batch, imc_weight=0.3, cmr_weight=0.2, **options)
    return [x.detach() for x in result], gradients(result.loss, batch)


def solve_part(case, rank, world):
    """A rank's values and gradients, from its own rows only."""
    batch, counts = whole_batch(case, world)
    start = sum(counts[:rank])
    rows = slice(start, start + counts[rank])
    for name in BY_ROW:
        if batch[name] is not None:
            batch[name] = batch[name][rows].detach()
            batch[name].requires_grad_(batch[name].is_floating_point())
    return solve(batch, case, ranks=Ranks(rank, world))


def work(rank, folder):
    torch.set_num_threads(1)
    for world in WORLDS:
        if rank >= world:
            continue
        dist.init_process_group(
            "gloo",
            init_method=f"file://{folder}/meeting-{world}",
            rank=rank,
            world_size=world,
            timeout=datetime.timedelta(seconds=120),
        )
        found = [solve_part(case, rank, world) for case in CASES]
        torch.save(found, f"{folder}/{world}-{rank}.pt")
        dist.barrier()
        dist.destroy_process_group()


def test_several_processes_find_what_one_finds_with_the_whole_batch(tmp_path):
    run_ranks(work, (tmp_path,), max(WORLDS))
    for world in WORLDS:
        parts = [torch.load(tmp_path / f"{world}-{r}.pt", weights_only=True) for r in range(world)]
        for number, case in enumerate(CASES):
            batch, _ = whole_batch(case, world)
            values, expected = solve(batch, case, implementation="dense")
            for found, _ in (part[number] for part in parts):
                torch.testing.assert_close(found, values, rtol=1e-9, atol=1e-12)
            by_rank = [part[number][1] for part in parts]
            *features, scales = zip(*by_rank, strict=True)
            mine = [*(torch.cat(pieces) for pieces in features), sum(scales)]
            torch.testing.assert_close(mine, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("counts", [[5], [0]])
def test_one_process_talks_to_nobody(counts):
    ranks, rows = Ranks(), torch.randn(counts[0], 3)
    assert ranks.counts(len(rows)) == counts
    for found in (
        ranks.gather(rows, counts),
        ranks.scatter_sum(rows, counts),
        ranks.sum(rows),
        ranks.max(rows),
        ranks.own(rows, counts),
    ):
        assert torch.equal(found, rows)
