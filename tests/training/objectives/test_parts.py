"""Images against parts of captions: the size of chunks changes nothing."""

import pytest
import torch

from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.objectives import OBJECTIVES
from hnclip_cli.training.objectives.hard_negatives import _solve
from hnclip_cli.training.objectives.table import terms_of
from tests.training.objectives.batches import (
    gradients,
    make_batch,
    make_bias,
    make_scale,
    make_thresholds,
)


@pytest.mark.parametrize(
    "name", ["read", "cs-clip", "clic", "concept-centric", "concept-centric-sigmoid"]
)
def test_the_size_of_chunks_changes_nothing(name):
    def solve(chunk_size):
        features, slots = make_batch(5)
        scale, bias = make_scale(), make_bias()
        loss, *_ = _solve(
            list(terms_of(OBJECTIVES[name])), features, slots, scale, make_thresholds(), 10.0, bias,
            chunk_size=chunk_size, implementation="chunked", ranks=Ranks(),
        )  # fmt: skip
        return loss.detach(), gradients(loss, features, scale, bias)

    loss, expected = solve(None)
    for chunk_size in (1, 2, 4):
        again, found = solve(chunk_size)
        torch.testing.assert_close(again, loss, rtol=1e-12, atol=0)
        for part, gradient in found.items():
            torch.testing.assert_close(gradient, expected[part], rtol=1e-9, atol=1e-12, msg=part)
