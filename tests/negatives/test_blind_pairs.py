"""Blind pairs against a search by hand, one pair at a time."""

import numpy as np
import pytest

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.evaluation.report import evaluate
from hnclip_cli.negatives import blind_pairs as module
from hnclip_cli.negatives.blind_pairs import blind_pairs
from hnclip_cli.scoring.score import score
from hnclip_cli.streams.jsonl import ErrorPolicy, Shard

BLIND = np.array([[1, 0], [1, 0.01], [0, 1], [1, 0.02]])
SEEING = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0.1]])


def records(count, **fields):
    return [
        {"id": str(n), "image": f"{n}.png", "caption": f"a cat {n}"} | fields for n in range(count)
    ]


def by_hand(one, other, groups, k, same=0.95, different=0.6):
    def cosine(rows, i, j):
        length = np.linalg.norm(rows[i]) * np.linalg.norm(rows[j])
        return rows[i] @ rows[j] / length if length > 0 else np.nan

    found, firsts = [], [i for i, group in enumerate(groups) if group not in groups[:i]]
    for i in firsts:
        partners = [
            (-cosine(one, i, j), j)
            for j in firsts
            if j > i and cosine(one, i, j) > same and cosine(other, i, j) < different
        ]
        found += sorted((i, j) for _, j in sorted(partners)[:k])
    return [[str(i), str(j)] for i, j in found]


def test_a_pair_is_an_item_of_two_images():
    pairs = blind_pairs(records(4), BLIND, SEEING)
    (item,) = pairs
    assert item.pop("similarities") == [pytest.approx(0.99995, abs=1e-6), 0]
    assert item == {
        "id": "0+1",
        "images": ["0.png", "1.png"],
        "captions": ["a cat 0", "a cat 1"],
        "truth": [[0, 0], [1, 1]],
        "ids": ["0", "1"],
        "benchmark": "blind-pairs",
    }
    assert pairs.summary() == ["1 blind pairs among 4 images"]


@pytest.mark.parametrize("k", [1, 3, 1000])
@pytest.mark.parametrize("narrowing", [False, True])
def test_tiles_find_what_a_search_by_hand_finds(monkeypatch, k, narrowing):
    """Clusters that the first encoder confuses; the other knows some of their members apart."""
    random = np.random.default_rng(k)
    centers = random.normal(size=(9, 6))
    one = centers[random.integers(0, 9, 120)] + random.normal(size=(120, 6)) * 0.1
    other = random.normal(size=(120, 5))
    one[7], other[11], other[12] = 0, 0, np.nan
    groups = [f"{number}" for number in random.integers(0, 100, 120)]
    made = [r | {"group": group} for r, group in zip(records(120), groups, strict=True)]
    monkeypatch.setattr(module, "ROWS_PER_PASS", 40)
    monkeypatch.setattr(module, "ROWS_PER_TILE", 17)
    monkeypatch.setattr(module, "QUERIES_PER_BLOCK", 7)
    monkeypatch.setattr(module, "_PAIRS_AT_ONCE", 3)
    if not narrowing:
        everything = np.array([[True]])
        monkeypatch.setattr(module._Tile, "_may_differ", lambda self, block: everything)
    expected = by_hand(one, other, groups, k)
    found = [item["ids"] for item in blind_pairs(made, one, other, k=k)]
    assert found == expected and len(found) > 40
    parts = [
        item["ids"]
        for index in range(3)
        for item in blind_pairs(made, one, other, k=k, shard=Shard(index, 3))
    ]
    assert parts == expected


def test_thresholds_are_strict():
    one, other = np.array([[1.0, 0], [1, 0]]), np.array([[1.0, 0], [0, 1]])
    assert list(blind_pairs(records(2), one, other, same=1)) == []
    assert list(blind_pairs(records(2), one, other, different=0)) == []
    assert len(list(blind_pairs(records(2), one, other, same=0.99, different=0.01))) == 1


def test_arrays_that_make_a_pair_of_everything_are_an_error(monkeypatch):
    monkeypatch.setattr(module, "MAX_PAIRS", 20)
    with pytest.raises(HnclipError, match="nearly all images are the same to one encoder"):
        list(blind_pairs(records(9), np.ones((9, 2)), np.eye(9)))


def test_items_without_captions_or_with_one_for_both():
    bare = [{"image": record["image"]} for record in records(2)]
    (item,) = blind_pairs(bare, BLIND[:2], SEEING[:2])
    assert set(item) == {"id", "images", "ids", "similarities", "benchmark"}
    pairs = blind_pairs(records(2, caption="A cat."), BLIND[:2], SEEING[:2])
    assert list(pairs) == []
    assert pairs.summary()[1] == "1 further pairs have one caption for both images"


def test_bad_records_and_arrays_are_refused():
    with pytest.raises(HnclipError, match="does not belong to the records"):
        blind_pairs(records(3), BLIND, SEEING)
    bad = [records(1)[0], {"images": ["a"], "captions": ["b"]}, {"image": 3}, records(4)[3]]
    with pytest.raises(InputError, match="one image a record"):
        blind_pairs(bad, BLIND, SEEING)
    policy = ErrorPolicy("skip")
    assert list(blind_pairs(bad, BLIND[[0, 2, 2, 1]], SEEING[[0, 2, 2, 1]], policy=policy))
    assert policy.num_skipped == 2


def test_pairs_are_scored_and_evaluated_as_2x2_items(tmp_path, tiny_run):
    from tests.factories import make_records

    made = make_records(tmp_path, 2)
    items = blind_pairs(made, BLIND[:2], SEEING[:2])
    report = evaluate(score(items, model=tiny_run, image_root=str(tmp_path)))
    assert report["by"]["benchmark"]["blind-pairs"]["group"]["n"] == 1
