"""Ranks against the full matrix, ties by index included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.evaluation import retrieval
from hnclip_cli.evaluation.retrieval import rank


def full_matrix_ranks(images, captions, owner):
    """Sort every row and column stably by falling score, and look where the true ones are."""
    scores = (captions.astype(np.float64) @ images.astype(np.float64).T).astype(np.float32)
    to_image = [
        np.flatnonzero(np.argsort(-row, kind="stable") == owner[caption])[0]
        for caption, row in enumerate(scores)
    ]
    to_text = [
        np.flatnonzero(owner[np.argsort(-column, kind="stable")] == image)[0]
        for image, column in enumerate(scores.T)
    ]
    return to_text, to_image


def assert_like_full_matrix(images, captions, owner):
    of_images, of_captions = rank(images, captions, owner)
    to_text, to_image = full_matrix_ranks(images, captions, owner)
    assert of_images.rank.tolist() == to_text
    assert of_captions.rank.tolist() == to_image


def normalized(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_ranks_of_many_tiles_are_those_of_the_full_matrix(monkeypatch):
    monkeypatch.setattr(retrieval, "CAPTION_TILE", 32)
    monkeypatch.setattr(retrieval, "IMAGE_TILE", 24)
    rng = np.random.default_rng(0)
    images = normalized(rng.standard_normal((101, 8)))
    owner = np.concatenate([np.arange(101), rng.integers(101, size=200)])
    captions = normalized(images[owner] + rng.standard_normal((301, 8)))
    assert_like_full_matrix(images, captions, owner)


@given(st.data())
def test_ranks_with_many_ties_are_those_of_a_stable_sort(data):
    num_images = data.draw(st.integers(1, 6))
    extra = data.draw(st.lists(st.integers(0, num_images - 1), max_size=6))
    owner = np.array(data.draw(st.permutations([*range(num_images), *extra])))
    axis = st.integers(0, 2)  # unit vectors along three axes: scores of exactly 0 and 1
    images = np.eye(3, dtype=np.float32)[
        data.draw(st.lists(axis, min_size=num_images, max_size=num_images))
    ]
    captions = np.eye(3, dtype=np.float32)[
        data.draw(st.lists(axis, min_size=len(owner), max_size=len(owner)))
    ]
    assert_like_full_matrix(images, captions, owner)


def test_equal_embeddings_tie_and_rank_by_index_in_whatever_tile(monkeypatch):
    monkeypatch.setattr(retrieval, "CAPTION_TILE", 3)
    monkeypatch.setattr(retrieval, "IMAGE_TILE", 2)
    row = normalized(np.random.default_rng(1).standard_normal((1, 512)))
    images, captions = np.repeat(row, 7, axis=0), np.repeat(row, 7, axis=0)
    of_images, of_captions = rank(images, captions, np.arange(7))
    assert of_captions.rank.tolist() == of_images.rank.tolist() == list(range(7))
    assert of_captions.tied.all() and of_images.tied.all()


def test_other_true_captions_are_neither_rivals_nor_ties():
    images = np.eye(2, dtype=np.float32)
    captions = images[[0, 0, 1, 0]]  # three captions of image 0, all perfect
    of_images, of_captions = rank(images, captions, np.array([0, 0, 1, 0]))
    assert of_images.rank.tolist() == [0, 0]
    assert of_captions.rank.tolist() == [0, 0, 0, 0]
    assert not of_images.tied.any() and not of_captions.tied.any()


def test_one_image_and_one_caption_find_each_other():
    row = np.array([[1.0, 0.0]], dtype=np.float32)
    of_images, of_captions = rank(row, -row, np.array([0]))
    assert of_images.rank.tolist() == of_captions.rank.tolist() == [0]


@pytest.mark.parametrize("tile", [1, 5, 512])
def test_ranks_do_not_depend_on_the_tile(monkeypatch, tile):
    rng = np.random.default_rng(2)
    images = normalized(rng.standard_normal((23, 16)))
    captions = normalized(rng.standard_normal((23, 16)))
    expected = rank(images, captions, np.arange(23))
    monkeypatch.setattr(retrieval, "CAPTION_TILE", tile)
    monkeypatch.setattr(retrieval, "IMAGE_TILE", tile)
    got = rank(images, captions, np.arange(23))
    for ranks, same in zip(got, expected, strict=True):
        assert ranks.rank.tolist() == same.rank.tolist()
