"""Margins against hand-written matrices and against plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.evaluation.margins import (
    matching_margins,
    ordered_margins,
    outcomes,
    query_margins,
)

scores = st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0])  # few values, so that ties are common


def matrices(rows, columns):
    return st.lists(
        st.lists(scores, min_size=columns, max_size=columns), min_size=rows, max_size=rows
    )


def test_a_tie_is_wrong_and_counted_and_is_no_near_tie():
    result = outcomes(np.array([0.5, 0.0, -0.5, 5e-5, -5e-5]))
    assert result.correct.tolist() == [True, False, False, True, False]
    assert result.tie.tolist() == [False, True, False, False, False]
    assert result.near.tolist() == [False, False, False, True, True]


@pytest.mark.parametrize(
    ("matrix", "text", "image", "group"),
    [
        ([[0.9, 0.1], [0.2, 0.8]], True, True, True),
        ([[0.9, 0.8], [0.1, 0.2]], True, False, False),  # caption 1 prefers image 0
        ([[0.5, 0.1], [0.6, 0.7]], True, False, False),  # caption 0 prefers image 1
        ([[0.5, 0.6], [0.1, 0.7]], False, True, False),
        ([[0.5, 0.5], [0.5, 0.5]], False, False, False),  # ties fail
        ([[0.5, 0.1], [0.5, 0.7]], True, False, False),  # one tie fails the image score
    ],
)
def test_winoground_scores_of_hand_written_items(matrix, text, image, group):
    margins = matching_margins(matrix, [(0, 0), (1, 1)])
    found = [margins[name][0] > 0 for name in ("text", "image", "group")]
    assert found == [text, image, group]


@given(matrices(2, 2))
def test_winoground_scores_follow_their_definition(matrix):
    (s00, s01), (s10, s11) = matrix  # image, caption
    halves = [s00 > s01, s11 > s10, s00 > s10, s11 > s01]
    text, image = all(halves[:2]), all(halves[2:])
    margins = matching_margins(matrix, [(0, 0), (1, 1)])
    assert [margin > 0 for (margin,) in margins.values()] == [
        text, image, text and image, *halves,
    ]  # fmt: skip
    crossed = matching_margins(matrix[::-1], [(0, 1), (1, 0)])  # the images change places
    assert crossed == margins


def test_a_query_is_right_if_any_true_candidate_is_strictly_at_the_top():
    matrix = np.array([[0.9, 0.1, 0.5], [0.5, 0.5, 0.2], [0.1, 0.2, 0.3]])
    truth = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0]], dtype=bool)
    top, everyone = query_margins(matrix, truth)
    assert top.tolist() == [0.4, 0.0]  # the third query has nothing true
    assert everyone.tolist() == [-0.4]  # only the first has several true ones


@given(matrices(3, 4), st.lists(st.booleans(), min_size=12, max_size=12))
def test_queries_agree_with_plain_loops(matrix, flags):
    truth = np.array(flags).reshape(3, 4)
    expected_top, expected_all = [], []
    for row, is_true in zip(matrix, truth, strict=True):
        true = [s for s, t in zip(row, is_true, strict=True) if t]
        false = [s for s, t in zip(row, is_true, strict=True) if not t]
        if true and false:
            expected_top.append(max(true) > max(false))
            if len(true) > 1:
                expected_all.append(all(t > f for t in true for f in false))
    top, everyone = query_margins(np.array(matrix), truth)
    assert (top > 0).tolist() == expected_top
    assert (everyone > 0).tolist() == expected_all


@given(st.lists(scores, min_size=2, max_size=5), st.integers(0, 5))
def test_captions_in_order_agree_with_plain_loops(row, num_true):
    margins = ordered_margins(row, num_true)
    expected = all(row[i] > row[i + 1] for i in range(len(row) - 1))
    assert [margin > 0 for margin in margins["ordered"]] == [expected]
    half = [row[num_true - 1] > row[num_true]] if 0 < num_true < len(row) else []
    assert [margin > 0 for margin in margins["half_truth"]] == half
