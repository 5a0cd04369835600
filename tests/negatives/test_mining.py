"""Mining against a search by hand, one pair at a time."""

import io

import numpy as np
import pytest

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.negatives import mining
from hnclip_cli.negatives.choosing.truth import normalized
from hnclip_cli.negatives.mining import KIND
from hnclip_cli.negatives.mining import mine as mine_records
from hnclip_cli.streams import nearest
from hnclip_cli.streams.edits import apply_edits
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader, Shard
from tests.conftest import to_lines


def array(folder, rows, name="e.npy"):
    np.save(folder / name, np.asarray(rows, np.float32))
    return str(folder / name)


def mine(folder, records, rows, *, queries=None, policy=None, **options):
    path = folder / "r.jsonl"
    path.write_bytes(to_lines(*records))
    policy = policy or ErrorPolicy()
    with open(path, "rb") as stream:
        mined = mine_records(
            RecordReader(stream, "r.jsonl", policy),
            array(folder, rows),
            queries=array(folder, queries, "q.npy") if queries is not None else None,
            policy=policy,
            **{"k": 2, **options},
        )
    return list(mined), mined


def mined_captions(record):
    return [n["caption"] for n in record.get("negatives", []) if n["kind"] == KIND]


def by_hand(records, corpus, queries, of, k, margin=None, relative_margin=None):
    """Every query against every record, in Python."""
    results = []
    for i, record in enumerate(records):
        group = [r for r in records if r["image"] == record["image"]]
        own = float(queries[i] @ corpus[i])
        taken = {normalized(r["caption"]) for r in group} if of == "caption" else set()
        candidates = []
        for j, other in enumerate(records):
            name = normalized(other["caption"]) if of == "caption" else other["image"]
            if of == "image" and (
                other["image"] == record["image"]
                or any(
                    r["image"] == other["image"]
                    and normalized(r["caption"]) == normalized(record["caption"])
                    for r in records
                )
            ):
                continue
            if name in taken or not corpus[j].any():
                continue
            taken.add(name)  # its first row stands for it
            value = float(queries[i] @ corpus[j])
            if margin is not None and value > own - margin:
                continue
            if relative_margin is not None and value > own - relative_margin * abs(own):
                continue
            candidates.append((-value, j))
        field = "caption" if of == "caption" else "image"
        results.append([records[j][field] for _, j in sorted(candidates)[:k]])
    return results


WORDS = ["red", "cat", "on", "mat", "Dog!"]


def example(seed, count=60, dim=6):
    """Few different images, captions and directions, so that everything is shared and tied."""
    random = np.random.default_rng(seed)
    records = [
        {
            "image": f"{random.integers(count // 3)}.png",
            "caption": " ".join(random.choice(WORDS, 3)),
        }
        for _ in range(count)
    ]
    rows = random.integers(-1, 2, (count, dim)) * random.integers(1, 5, (count, 1))
    rows[::17] = 0  # has no direction: finds nothing and is not found
    return records, rows


MARGINS = {
    "none": {},
    "absolute": {"margin": 0.3},
    "relative": {"relative_margin": 0.25},
    "both": {"margin": 0.1, "relative_margin": 0.5},
}


@pytest.mark.parametrize("of", ["caption", "image"])
@pytest.mark.parametrize("margins", MARGINS.values(), ids=MARGINS.keys())
@pytest.mark.parametrize("tile", [7, 16, 4096])
def test_mining_is_the_search_by_hand(tmp_path, monkeypatch, of, margins, tile):
    monkeypatch.setattr(mining, "ROWS_PER_TILE", tile)
    monkeypatch.setattr(mining, "QUERIES_AT_ONCE", 13)
    monkeypatch.setattr(nearest, "_FEW", 1)
    for seed, k in [(0, 1), (1, 3), (2, 100)]:
        records, rows = example(seed)
        queries = rows if seed != 1 else example(5)[1]
        unit = [nearest.GridVectors(np.asarray(values)).rows for values in (rows, queries)]
        found, mined = mine(tmp_path, records, rows, of=of, k=k, queries=queries, **margins)
        expected = by_hand(records, *unit, of, k, **margins)
        expected = [e if unit[1][i].any() else [] for i, e in enumerate(expected)]
        got = [mined_captions(r) if of == "caption" else r["negative_images"] for r in found]
        assert got == expected
        assert mined.num_short == sum(len(e) < k for e in expected)


def test_the_edits_of_a_mined_caption_give_it_and_other_negatives_stay(tmp_path):
    old = [{"caption": "a blue cat", "kind": "replace-color", "edits": [[2, 5, "blue"]]}]
    records = [
        {"image": "1", "caption": "a red cat", "negatives": old, "extra": 1},
        {"image": "2", "caption": "a red dog"},
        {"image": "3", "caption": "A blue cat."},
    ]
    (first, _, _), mined = mine(tmp_path, records, [[1, 0], [1, 0.2], [1, 0.1]])
    assert list(first) == ["image", "caption", "negatives", "extra"]
    assert first["negatives"][0] == old[0]
    assert mined_captions(first) == ["a red dog"]  # the blue cat is among its negatives already
    assert mined.num_short == 1
    edits = [tuple(edit) for edit in first["negatives"][1]["edits"]]
    assert apply_edits("a red cat", edits) == "a red dog"


def test_mining_again_changes_nothing(tmp_path):
    records, rows = example(1)
    once, _ = mine(tmp_path, records, rows)
    again, _ = mine(tmp_path, once, rows)
    assert once == again


def test_shards_joined_are_the_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(mining, "QUERIES_AT_ONCE", 16)
    random = np.random.default_rng(0)
    records = [{"image": f"{i // 2}", "caption": f"caption {i}"} for i in range(101)]
    rows = random.standard_normal((101, 33))[random.integers(0, 40, 101)]
    whole, _ = mine(tmp_path, records, rows, k=5)
    parts = [mine(tmp_path, records, rows, k=5, shard=Shard(i, 3))[0] for i in range(3)]
    assert [record for part in parts for record in part] == whole


def test_skipped_records_and_rows_without_direction_take_no_part(tmp_path):
    records = [
        {"image": "1", "caption": "one"},
        {"image": "2", "caption": 2},
        {"image": "3", "caption": "three"},
        {"image": "4", "caption": "four"},
    ]
    rows = [[1, 0], [1, 0.1], [np.nan, 1], [0, 1]]
    found, mined = mine(tmp_path, records, rows, policy=ErrorPolicy("skip"))
    assert [mined_captions(record) for record in found] == [["four"], [], ["one"]]
    assert (mined.num_records, mined.num_short) == (3, 3)
    with pytest.raises(InputError, match=r"r.jsonl:2: field .caption. has the wrong type"):
        mine(tmp_path, records, rows)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0])
def test_rows_that_all_say_nothing_are_an_error(tmp_path, value):
    records = [{"image": name, "caption": name} for name in "ab"]
    with pytest.raises(HnclipError, match="no row of the embeddings can be compared"):
        mine(tmp_path, records, np.full((2, 3), value))


def test_dicts_and_arrays_are_as_good_as_files(tmp_path):
    records, rows = example(0)
    rows = np.asarray(rows, np.float32)
    assert list(mine_records(records, rows, k=2)) == mine(tmp_path, records, rows)[0]
    with pytest.raises(HnclipError, match="embeddings: the array does not belong to the records"):
        mine_records(records, rows[1:])


def test_unreadable_lines_have_rows_too(tmp_path):
    lines = b'nonsense\n{"image": "1", "caption": "one"}\n{"image": "2", "caption": "two"}\n{'
    policy = ErrorPolicy("skip")
    reader = RecordReader(io.BytesIO(lines), policy=policy)
    mined = mine_records(reader, np.ones((4, 2)), policy=policy)
    assert [mined_captions(record) for record in mined] == [["two"], ["one"]]


def test_nothing_in_nothing_out(tmp_path):
    assert mine(tmp_path, [], np.zeros((0, 4)))[0] == []


@pytest.mark.parametrize("rows", [2, 4])
def test_an_array_of_other_records_is_refused(tmp_path, rows):
    records = [{"image": str(i), "caption": f"a {i}"} for i in range(3)]
    with pytest.raises(HnclipError, match=f"does not belong to the records; got {rows} rows"):
        mine(tmp_path, records, np.ones((rows, 2)))


def test_arrays_that_cannot_be_used_are_named(tmp_path):
    records = [{"image": "1", "caption": "a"}]
    with pytest.raises(HnclipError, match=r"rows of different lengths; got .*e.npy: 2, .*q.npy: 3"):
        mine(tmp_path, records, [[1, 2]], queries=[[1, 2, 3]])
    for name, problem in [("none.npy", "cannot read it: No such file"), ("r.jsonl", "not an NPY")]:
        with pytest.raises(HnclipError, match=problem):
            mine_records(records, str(tmp_path / name))


def test_records_of_several_pairs_are_refused(tmp_path):
    record = {"images": ["1", "2"], "captions": ["a", "b"], "truth": [[0, 0], [1, 1]]}
    with pytest.raises(HnclipError, match=r"r\.jsonl:1: mining needs one image and one caption"):
        mine(tmp_path, [record], [[1, 2]])
