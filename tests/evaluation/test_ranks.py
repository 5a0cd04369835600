"""Ranks of all true pairs against the full matrix, ties by index included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.evaluation import ranks
from hnclip_cli.evaluation.ranks import TruePairs, rank


def full_matrix_ranks(queries, candidates, pairs):
    """Sort every row stably by falling score, and look where each true one is."""
    scores = (queries.astype(np.float64) @ candidates.astype(np.float64).T).astype(np.float32)
    found = []
    for query, row in enumerate(scores):
        order = np.argsort(-row, kind="stable").tolist()
        true = pairs.candidate[pairs.query == query]
        found += [(query, place) for place in sorted(1 + order.index(one) for one in true)]
    return found


def assert_like_full_matrix(images, captions, of_images, of_captions):
    by_image, by_caption = rank(images, captions, of_images, of_captions)
    for got, expected in (
        (by_image, full_matrix_ranks(images, captions, of_images)),
        (by_caption, full_matrix_ranks(captions, images, of_captions)),
    ):
        assert list(zip(got.query.tolist(), got.rank.tolist(), strict=True)) == expected


def normalized(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def some_pairs(rng, num_queries, num_candidates, count):
    """True pairs of some queries, in no order."""
    pairs = {
        (int(rng.integers(num_queries)), int(rng.integers(num_candidates))) for _ in range(count)
    }
    query, candidate = np.array(sorted(pairs, key=lambda pair: hash(pair))).T
    return TruePairs(query, candidate)


def own(owner):
    """The pairs of captions that have one image each, both ways."""
    owner, captions = np.array(owner), np.arange(len(owner))
    return TruePairs(owner, captions), TruePairs(captions, owner)


def test_ranks_of_many_tiles_are_those_of_the_full_matrix(monkeypatch):
    monkeypatch.setattr(ranks, "CAPTION_TILE", 32)
    monkeypatch.setattr(ranks, "IMAGE_TILE", 24)
    monkeypatch.setattr(ranks, "PAIRS_AT_ONCE", 50)
    rng = np.random.default_rng(0)
    images = normalized(rng.standard_normal((101, 8)))
    owner = np.concatenate([np.arange(101), rng.integers(101, size=200)])
    captions = normalized(images[owner] + rng.standard_normal((301, 8)))
    assert_like_full_matrix(images, captions, *own(owner))
    # The two directions need not agree, and queries may be left out.
    of_images, of_captions = some_pairs(rng, 101, 301, 400), some_pairs(rng, 301, 101, 150)
    assert_like_full_matrix(images, captions, of_images, of_captions)


@given(st.data())
def test_ranks_with_many_ties_are_those_of_a_stable_sort(data):
    axis = st.integers(0, 2)  # unit vectors along three axes: scores of exactly 0 and 1
    images, captions = (
        np.eye(3, dtype=np.float32)[data.draw(st.lists(axis, min_size=1, max_size=7))]
        for _ in range(2)
    )
    pairs = st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1)
    drawn = [
        {(q % len(queries), c % len(candidates)) for q, c in data.draw(pairs)}
        for queries, candidates in ((images, captions), (captions, images))
    ]
    of_images, of_captions = (TruePairs(*np.array(list(some)).T) for some in drawn)
    assert_like_full_matrix(images, captions, of_images, of_captions)


def test_equal_embeddings_tie_and_rank_by_index_in_whatever_tile(monkeypatch):
    monkeypatch.setattr(ranks, "CAPTION_TILE", 3)
    monkeypatch.setattr(ranks, "IMAGE_TILE", 2)
    row = normalized(np.random.default_rng(1).standard_normal((1, 512)))
    images, captions = np.repeat(row, 7, axis=0), np.repeat(row, 7, axis=0)
    for found in rank(images, captions, *own(range(7))):
        assert found.rank.tolist() == list(range(1, 8))
        assert found.tied.all()


def test_other_true_captions_are_no_ties():
    images = np.eye(2, dtype=np.float32)
    captions = images[[0, 0, 1, 0]]  # three captions of image 0, all perfect
    of_images, of_captions = rank(images, captions, *own([0, 0, 1, 0]))
    assert of_images.rank.tolist() == [1, 2, 3, 1]
    assert of_captions.rank.tolist() == [1, 1, 1, 1]
    assert not of_images.tied.any() and not of_captions.tied.any()


@pytest.mark.parametrize("tile", [1, 5, 512])
def test_ranks_do_not_depend_on_the_tile(monkeypatch, tile):
    rng = np.random.default_rng(2)
    images = normalized(rng.standard_normal((23, 16)))
    captions = normalized(rng.standard_normal((23, 16)))
    expected = rank(images, captions, *own(range(23)))
    monkeypatch.setattr(ranks, "CAPTION_TILE", tile)
    monkeypatch.setattr(ranks, "IMAGE_TILE", tile)
    for got, same in zip(rank(images, captions, *own(range(23))), expected, strict=True):
        assert got.rank.tolist() == same.rank.tolist()
