"""Retrieval between two arrays, from files and pipes, with and without records."""

import io

import numpy as np
import pytest

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.scoring import search as search_module
from hnclip_cli.scoring.search import search
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader, Shard
from hnclip_cli.streams.npy import Rows
from hnclip_cli.streams.records import Record
from tests.conftest import to_lines
from tests.streams.test_nearest import brute_force


class Pipe(io.BytesIO):
    """Bytes that come once."""

    def seekable(self):
        return False

    def seek(self, *args):
        raise OSError("a pipe does not seek")

    tell = seek


def npy(rows, kind=io.BytesIO, name="a.npy"):
    stream = io.BytesIO()
    np.save(stream, rows)
    return Rows.from_npy(kind(stream.getvalue()), name)


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    monkeypatch.setattr(search_module, "QUERIES_PER_PASS", 7)
    monkeypatch.setattr(search_module, "ROWS_PER_TILE", 16)


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return rng.standard_normal((20, 8), np.float32), rng.standard_normal((50, 8), np.float32) * 3


def rows_of(hits):
    return [[row for row, _ in hit["top"]] for hit in hits]


@pytest.mark.parametrize("gallery_kind", [io.BytesIO, Pipe])
@pytest.mark.parametrize("query_kind", [io.BytesIO, Pipe])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_hits_are_those_of_brute_force(arrays, query_kind, gallery_kind, dtype):
    queries, gallery = (rows.astype(dtype) for rows in arrays)
    hits = list(search(npy(queries, query_kind), npy(gallery, gallery_kind), 5))
    expected, cosines = brute_force(queries.astype(np.float32), gallery.astype(np.float32), 5)
    assert [hit["query"] for hit in hits] == list(range(20))
    assert rows_of(hits) == expected.tolist()
    found = np.float32([[score for _, score in hit["top"]] for hit in hits])
    np.testing.assert_array_equal(found, cosines)


@pytest.mark.parametrize("kind", [io.BytesIO, Pipe])
def test_shards_joined_are_the_whole(arrays, kind):
    def run(shard=None):
        return list(search(npy(arrays[0], kind), npy(arrays[1]), 3, shard=shard))

    assert [hit for i in range(3) for hit in run(Shard(i, 3))] == run()


def test_a_small_gallery_gives_all_of_its_rows(arrays):
    hits = list(search(arrays[0], arrays[1][:2], 5))
    assert [sorted(rows) for rows in rows_of(hits)] == [[0, 1]] * 20


def test_an_empty_gallery_gives_nothing_and_no_query_no_line(arrays):
    nothing = arrays[1][:0]
    assert rows_of(search(arrays[0], nothing, 5)) == [[]] * 20
    assert list(search(nothing, arrays[1], 5)) == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_row_that_is_not_finite_is_an_error_that_names_it(arrays, value):
    queries, gallery = arrays
    for rows, place in ((queries, "q.npy: row 9"), (gallery, "g.npy: row 17")):
        kept = rows[int(place.split()[-1])].copy()
        rows[int(place.split()[-1]), 3] = value
        with pytest.raises(InputError, match=f"{place}: the embedding is not finite"):
            list(search(npy(queries, name="q.npy"), npy(gallery, name="g.npy"), 5))
        rows[int(place.split()[-1])] = kept


def test_rows_that_are_not_finite_can_be_skipped_and_are_counted_once(arrays):
    queries, gallery = arrays
    gallery[[0, 17, 49], 2] = np.nan
    queries[8, 0] = np.nan
    policy = ErrorPolicy("skip")
    hits = list(search(queries, gallery, 5, policy=policy))
    good = np.delete(np.arange(50), [0, 17, 49])
    expected, _ = brute_force(np.delete(queries, 8, axis=0), gallery[good], 5)
    assert rows_of(hits) == good[expected].tolist()
    assert [hit["query"] for hit in hits] == [*range(8), *range(9, 20)]
    assert policy.num_skipped == 4


def test_rows_whose_sum_overflows_are_good():
    rows = np.full((2, 4), 3e38, np.float32)
    assert rows_of(search(rows, rows, 2)) == [[0, 1]] * 2


def test_arrays_of_different_widths_are_refused(arrays):
    with pytest.raises(HnclipError, match=r"different lengths; got q\.npy: 8, g\.npy: 4"):
        search(npy(arrays[0], name="q.npy"), npy(arrays[1][:, :4], name="g.npy"), 1)


def joined(data, queries, gallery, k=2, on_error="fail"):
    policy = ErrorPolicy(on_error)
    reader = RecordReader(io.BytesIO(data), "x.jsonl", policy)
    return list(search(queries, gallery, k, records=reader, policy=policy)), policy


def test_records_pass_through_with_the_ids_of_what_was_found():
    rows = np.eye(4, dtype=np.float32)
    data = to_lines(*({"id": f"r{i}", "caption": "x", "other": i} for i in range(4)))
    records, _ = joined(data, rows, rows[::-1] + rows * 0.5)
    assert records[0] == {
        "id": "r0", "caption": "x", "other": 0, "query": 0,
        "top": [[3, pytest.approx(0.8944272)], [0, pytest.approx(0.4472136)]],
        "top_ids": ["r3", "r0"],
    }  # fmt: skip


def test_a_record_of_several_captions_has_a_line_for_each_and_a_bad_line_has_a_row():
    item = {"id": "b", "images": ["i"], "captions": ["x", "y"], "truth": [[0, 0]]}
    data = b"{broken\n" + to_lines({"id": "a", "image": "i", "caption": "c"}, item)
    queries = np.eye(4, dtype=np.float32)
    queries[0] = np.nan
    gallery = np.eye(4, dtype=np.float32)[1:]
    records, policy = joined(data, queries, gallery, k=1, on_error="skip")
    assert [(r["id"], r["query"], r["top_ids"]) for r in records] == [
        ("a", 1, [None]), ("b", 2, ["a"]), ("b", 3, ["b"]),
    ]  # fmt: skip
    assert policy.num_skipped == 2


@pytest.mark.parametrize("count", [3, 5])
def test_queries_of_other_records_are_refused(count):
    data = to_lines(*({"id": f"r{i}", "caption": "x"} for i in range(4)))
    with pytest.raises(HnclipError, match=f"got {count} rows, expected 4"):
        joined(data, np.ones((count, 2), np.float32), np.ones((4, 2), np.float32))


def test_plain_records_and_files_by_their_names(tmp_path):
    rows = np.eye(4, dtype=np.float32)
    np.save(tmp_path / "a.npy", rows)
    records = [{"caption": "x", "negatives": [{"caption": "y"}] * 2}, {"caption": "z", "id": "b"}]
    hits = search(
        rows[1:], str(tmp_path / "a.npy"), 1, queries_of="caption", gallery_of="negatives",
        records=[*records, {"caption": "w", "negatives": [{"caption": "v"}] * 2, "id": "c"}],
    )  # fmt: skip
    assert [(hit["query"], hit["top"], hit["top_ids"]) for hit in hits] == [
        (0, [[1, 1.0]], [Record(records[0]).id]), (1, [[2, 1.0]], ["c"]), (2, [[3, 1.0]], ["c"]),
    ]  # fmt: skip
