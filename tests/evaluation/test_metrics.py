"""Margins against hand-written matrices and against plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.evaluation.metrics import (
    item_margins,
    outcomes,
    pair_margins,
    query_margins,
    winoground_margins,
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


def test_each_negative_is_compared_with_the_true_caption_of_its_own_item():
    flat, widths = np.array([0.5, 0.25, 0.75, 0.0, 1.0]), np.array([3, 2])
    item, margins = pair_margins(flat, widths)
    assert item.tolist() == [0, 0, 1]
    assert margins.tolist() == [0.25, -0.25, -1.0]
    assert item_margins(flat, widths).tolist() == [-0.25, -1.0]


def test_no_items_have_no_margins():
    nothing = np.array([], dtype=np.int64)
    item, margins = pair_margins(np.array([]), nothing)
    assert len(item) == len(margins) == len(item_margins(np.array([]), nothing)) == 0


@given(st.lists(st.lists(scores, min_size=2, max_size=5), min_size=1, max_size=6))
def test_pairs_and_items_agree_with_plain_loops(rows):
    flat = np.array([score for row in rows for score in row])
    widths = np.array([len(row) for row in rows])
    item, margins = pair_margins(flat, widths)
    expected = [(i, row[0] > negative) for i, row in enumerate(rows) for negative in row[1:]]
    assert list(zip(item, margins > 0, strict=True)) == expected
    won = [all(row[0] > negative for negative in row[1:]) for row in rows]
    assert (item_margins(flat, widths) > 0).tolist() == won


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
    margins = winoground_margins(np.array([matrix]))
    assert {name: bool(m[0] > 0) for name, m in margins.items()} == {
        "text": text,
        "image": image,
        "group": group,
    }


@given(matrices(2, 2))
def test_winoground_scores_follow_their_definition(matrix):
    (s00, s01), (s10, s11) = matrix  # image, caption
    text = s00 > s01 and s11 > s10
    image = s00 > s10 and s11 > s01
    margins = winoground_margins(np.array([matrix]))
    assert [bool(m[0] > 0) for m in margins.values()] == [text, image, text and image]


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
