"""Two processes give what one gives: losses, terms, thresholds, gradients."""

import pytest
import torch
import torch.distributed as dist

from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.objectives import OBJECTIVES
from tests.ranks import run_ranks
from tests.training.objectives.batches import (
    compute,
    cut,
    gradients,
    make_batch,
    make_bias,
    make_scale,
    make_thresholds,
)

SIZE = 5
BATCHES = {
    "some slots empty": {"groups": [0, 1, 1, 2, 0]},
    "no groups and no negative images": {"images": None},
    "no slots": {"slots": 0, "images": 0},
    "nothing in the slots": {"valid": 0.0},
}
FIRST = {"uneven": 3, "one rank empty": 0}  # rows of rank 0
NAMES = [name for name in OBJECTIVES.built_in if OBJECTIVES[name]]  # in both processes the same
CASES = [(name, batch, "uneven") for name in NAMES for batch in BATCHES]
CASES += [(name, "some slots empty", "one rank empty") for name in NAMES]


def run(name, features, slots, ranks):
    scale, bias = make_scale(), make_bias()
    result = compute(
        OBJECTIVES[name], features, slots, scale, make_thresholds(), bias=bias, ranks=ranks
    )
    return {
        "loss": result.loss.detach(),
        "terms": result.terms,
        "thresholds": result.thresholds,
        "gradients": gradients(result.loss, features, scale, bias),
    }


def work(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/init", rank=rank, world_size=2)
    results = []
    for name, batch, first in CASES:
        start, stop = (0, FIRST[first]) if rank == 0 else (FIRST[first], SIZE)
        rows = cut(*make_batch(SIZE, **BATCHES[batch]), start, stop)
        results.append(run(name, *rows, Ranks(rank, 2)))
    torch.save(results, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("ranks"))
    run_ranks(work, (folder,), 2)
    both = [torch.load(f"{folder}/{rank}.pt", weights_only=True) for rank in range(2)]
    return dict(zip(CASES, zip(*both, strict=True), strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: ", ".join(case))
def test_two_ranks_equal_one(results, case):
    name, batch, _ = case
    expected = run(name, *make_batch(SIZE, **BATCHES[batch]), Ranks())
    for found in results[case]:
        torch.testing.assert_close(found["loss"], expected["loss"])
        torch.testing.assert_close(found["terms"], expected["terms"])
        torch.testing.assert_close(found["thresholds"], expected["thresholds"])
    for part, gradient in expected["gradients"].items():
        first, second = (found["gradients"][part] for found in results[case])
        whole = first + second if part in ("scale", "bias") else torch.cat([first, second])
        torch.testing.assert_close(whole, gradient, rtol=1e-9, atol=1e-12, msg=part)
