"""The k nearest rows, against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.streams import nearest
from hnclip_cli.streams.nearest import GridVectors, TopK, Vectors, first_copies


def brute_force(queries, gallery, k):
    """All cosines in float64, rounded to float32, sorted by cosine and then by index."""
    lengths = [np.linalg.norm(rows.astype(np.float64), axis=1) for rows in (queries, gallery)]
    one, other = [np.where(length == 0, 1, length) for length in lengths]
    cosines = queries.astype(np.float64) @ gallery.astype(np.float64).T
    cosines = (cosines / one[:, None] / other).astype(np.float32)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(cosines, order, axis=1)


def in_tiles(queries, gallery, k, size):
    top = TopK(Vectors(queries), min(k, len(gallery)))
    for start in range(0, len(gallery), size):
        rows = gallery[start : start + size]
        top.update(Vectors(rows), np.arange(start, start + len(rows)))
    return top.result()


def assert_is_brute_force(queries, gallery, k, size):
    found, scores = in_tiles(queries, gallery, k, size)
    expected, cosines = brute_force(queries, gallery, k)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(scores, cosines)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(nearest, "QUERIES_PER_BLOCK", 16)
    monkeypatch.setattr(nearest, "_PAIRS_AT_ONCE", 7)
    monkeypatch.setattr(nearest, "_CANDIDATES_AT_ONCE", 50)


@pytest.mark.parametrize("k", [1, 10, 100])
@pytest.mark.parametrize("size", [5, 64, 1000])
def test_random_rows(small_blocks, k, size):
    rng = np.random.default_rng(0)
    queries = rng.standard_normal((37, 24), np.float32) * 7
    gallery = rng.standard_normal((700, 24), np.float32) * rng.uniform(0.1, 9, (700, 1))
    assert_is_brute_force(queries, gallery.astype(np.float32), k, size)


@pytest.mark.parametrize("copies", [1, 3, 50])
def test_ties_go_by_index_within_and_across_tiles(small_blocks, copies):
    rng = np.random.default_rng(1)
    distinct = rng.integers(-2, 3, (40, 6)).astype(np.float32)  # many cosines are the same
    gallery = rng.permutation(np.repeat(distinct, copies, axis=0))
    assert_is_brute_force(distinct[:20], gallery, 10, 64)


def test_nothing_but_copies_of_one_row(small_blocks):
    rng = np.random.default_rng(2)
    queries = rng.standard_normal((20, 8), np.float32)
    gallery = np.repeat(queries[:1], 3000, axis=0)
    found, _ = in_tiles(queries, gallery, 4, 1000)
    np.testing.assert_array_equal(found, np.tile(np.arange(4), (20, 1)))


def test_rows_that_differ_by_rounding_only(small_blocks):
    rng = np.random.default_rng(3)
    queries = rng.standard_normal((20, 64), np.float32)
    noise = rng.standard_normal((500, 64), np.float32) * np.float32(1e-7)
    assert_is_brute_force(queries, queries[:1] + noise, 10, 128)


@pytest.mark.parametrize("order", [1, -1])
def test_rows_that_get_better_or_worse_all_the_way(small_blocks, order):
    angles = np.linspace(0, 3, 2000)[::order]
    gallery = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert_is_brute_force(np.array([[1, 0], [-2, 0]], np.float32), gallery, 10, 100)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_very_short_and_very_long_rows(scale):
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((50, 16), np.float32)
    found, scores = in_tiles(rows, rows * np.float32(scale), 3, 20)
    expected, cosines = brute_force(rows, rows, 3)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(scores, cosines, atol=1e-6)


def test_rows_of_zeros_have_cosine_zero():
    gallery = np.array([[-1, 0], [0, 0], [1, 0]], np.float32)
    found, scores = in_tiles(np.array([[2, 0], [0, 0]], np.float32), gallery, 3, 2)
    assert found.tolist() == [[2, 1, 0], [0, 1, 2]]
    assert scores.tolist() == [[1, 0, -1], [0, 0, 0]]


@given(
    st.integers(1, 30), st.integers(1, 60), st.integers(1, 5), st.integers(1, 12),
    st.integers(1, 20), st.integers(0, 1 << 30),
)  # fmt: skip
def test_any_shape(num_queries, num_rows, width, k, size, seed):
    rng = np.random.default_rng(seed)
    queries = rng.integers(-3, 4, (num_queries, width)).astype(np.float32)
    gallery = rng.integers(-3, 4, (num_rows, width)).astype(np.float32)
    assert_is_brute_force(queries, gallery, k, size)


def test_the_first_copies_of_a_row_stay():
    rows = np.array([[1, 2], [3, 4], [1, 2], [1, 2], [3, 4], [5, 6]], np.float32)
    assert first_copies(rows, 2).tolist() == [True, True, True, False, True, True]


@given(
    st.integers(1, 30), st.integers(1, 60), st.integers(1, 6), st.integers(1, 20),
    st.integers(0, 1 << 30),
)  # fmt: skip
def test_limits_and_pairs_that_must_not_meet(num_queries, num_rows, k, size, seed):
    rng = np.random.default_rng(seed)
    queries = GridVectors(rng.integers(-1, 2, (num_queries, 4)))
    gallery = GridVectors(rng.integers(-1, 2, (num_rows, 4)))
    numbers = np.sort(rng.choice(200, num_rows, replace=False))
    limits = rng.choice([-np.inf, -0.5, 0.0, 0.5, 1.0, np.inf], num_queries)
    excluded = rng.integers(0, num_queries, 50), rng.integers(0, 200, 50)
    top = TopK(queries, k, limits, excluded)
    for start in range(0, num_rows, size):
        part = slice(start, start + size)
        top.update(GridVectors(gallery.rows[part]), numbers[part])
    found, scores = top.result()
    pairs = set(zip(*map(np.ndarray.tolist, excluded), strict=True))
    for query in range(num_queries):
        values = gallery.rows @ queries.rows[query]
        ranked = sorted(
            (-value, number)
            for value, number in zip(values.tolist(), numbers.tolist(), strict=True)
            if value <= limits[query] and (query, number) not in pairs
        )[:k]
        is_found = np.isfinite(scores[query])
        assert found[query][is_found].tolist() == [number for _, number in ranked]
        assert scores[query][is_found].tolist() == [-value for value, _ in ranked]


def test_similarities_on_the_grid_do_not_depend_on_the_order_of_sums():
    rows = GridVectors(np.random.default_rng(0).standard_normal((300, 129))).rows
    assert ((rows @ rows.T)[:7, :5] == rows[:7] @ rows[:5].T).all()
    assert ((rows @ rows.T) == (rows[:, ::-1] @ rows[:, ::-1].T)).all()
    assert np.abs(np.linalg.norm(rows, axis=1) - 1).max() < 1e-6


def test_rows_without_direction_become_zeros_on_the_grid():
    rows = GridVectors(np.array([[0, 0], [np.nan, 1], [np.inf, 1], [3, 4]])).rows
    assert rows.any(axis=1).tolist() == [False, False, False, True]
