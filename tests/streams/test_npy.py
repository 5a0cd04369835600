import gzip
import io
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.streams.npy import NpyWriter, Rows, as_rows, rows_beside
from tests.conftest import to_lines


class Pipe(io.BytesIO):
    """A stream that does not seek."""

    def seekable(self):
        return False


def everything(data, kind=io.BytesIO):
    rows = Rows.from_npy(kind(data), "x.npy")
    return rows.read(0, rows.shape[0])


def written(stream, blocks, columns):
    with NpyWriter(stream, columns) as writer:
        for block in blocks:
            writer.write(block)
    return stream.getvalue()


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(0, 9), st.integers(1, 4)), elements=st.floats(
        width=32, allow_nan=False)),
    st.integers(1, 4),
)  # fmt: skip
def test_what_is_written_in_blocks_numpy_reads_and_so_do_we(array, size):
    blocks = [array[start : start + size] for start in range(0, len(array), size)]
    for stream in (io.BytesIO(), Pipe()):
        data = written(stream, blocks, array.shape[1])
        assert np.array_equal(np.load(io.BytesIO(data), allow_pickle=False), array)
        assert np.array_equal(everything(data, Pipe), array)


def test_no_rows_are_an_array_of_shape_0_by_d():
    assert np.load(io.BytesIO(written(Pipe(), [], 5))).shape == (0, 5)


def test_files_and_pipes_get_the_same_bytes():
    rows = [np.ones((3, 2), np.float32)]
    assert written(io.BytesIO(), rows, 2) == written(Pipe(), rows, 2)


def test_an_array_crosses_a_real_pipe():
    read_end, write_end = os.pipe()
    array = np.random.default_rng(0).random((5000, 16), dtype=np.float32)

    def produce():
        with open(write_end, "wb") as stream, NpyWriter(stream, 16) as writer:
            writer.write(array)

    producer = threading.Thread(target=produce)
    producer.start()
    with open(read_end, "rb") as stream:
        rows = Rows.from_npy(stream, "-")
    assert rows.shape == (5000, 16)
    assert np.array_equal(rows.array, array)
    assert np.array_equal(rows.read(1234, 4321), array[1234:4321])
    producer.join()


def saved(array):
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([["a"]], dtype=object), "got object"),
        (np.ones(3), r"got float64 of shape \(3,\)"),
        (np.ones((2, 2), dtype=np.int64), "got int64"),
        (np.asfortranarray(np.ones((2, 3))), "in Fortran order"),
    ],
)
def test_arrays_that_are_no_embeddings_are_refused(array, message):
    with pytest.raises(HnclipError, match=message):
        everything(saved(array))


@pytest.mark.parametrize("data", [b"", b"{}\n", b"\x93NUMPY", saved(np.ones((2, 2)))[:30]])
def test_what_is_no_npy_is_refused(data):
    with pytest.raises(HnclipError, match=r"x\.npy: not an NPY array"):
        everything(data)


def test_truncation_names_the_rows():
    data = saved(np.ones((4, 8), np.float32))[:-40]
    with pytest.raises(HnclipError, match="truncated; got 2 rows, expected the 4 rows"):
        everything(data)


def test_what_follows_the_array_is_told():
    data = saved(np.ones((2, 3), np.float32)) * 2
    with pytest.raises(
        HnclipError, match="something follows the array; got more, expected the 2 rows"
    ):
        everything(data)


def test_half_precision_is_read_as_float32():
    with NpyWriter(stream := io.BytesIO(), 2, "float16") as writer:
        writer.write(np.ones((1, 2), np.float32))
    assert everything(stream.getvalue()).dtype == np.float32


def test_rows_of_another_width_are_refused():
    with NpyWriter(io.BytesIO(), 2) as writer, pytest.raises(ValueError, match="expected"):
        writer.write(np.ones((1, 3), np.float32))


@pytest.fixture
def file(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(12, dtype=np.float16).reshape(6, 2))
    return str(tmp_path / "a.npy")


def test_an_array_is_read_like_a_file_and_mapped_from_one(file):
    with open(file, "rb") as stream:
        for rows in (Rows.from_npy(stream, file), as_rows(file, "x"), as_rows(np.load(file), "x")):
            assert rows.shape == (6, 2)
            assert rows.read(1, 3).tolist() == [[2, 3], [4, 5]]
            assert rows.read(5, 6).dtype == np.float32
            assert rows.array[[5, 0]].tolist() == [[10, 11], [0, 1]]
            with pytest.raises(HnclipError, match=r"too few rows .* got 6 rows, expected at least"):
                rows.read(5, 7)
    assert as_rows(rows, "x") is rows


def test_a_compressed_array_is_unpacked(file):
    with gzip.open(f"{file}.gz", "wb") as stream:
        stream.write(Path(file).read_bytes())
    assert np.array_equal(as_rows(f"{file}.gz", "x").array, np.load(file))


def test_arrays_that_cannot_be_used_are_named(tmp_path, file):
    with pytest.raises(HnclipError, match=r"^x: the array cannot be used; got int64 of shape"):
        as_rows(np.zeros((2, 2), np.int64), "x")
    with open(file, "r+b") as stream:
        stream.truncate(140)
    with pytest.raises(HnclipError, match=r"a\.npy: the array is truncated; got 3 rows"):
        as_rows(file, "x")
    with pytest.raises(HnclipError, match=r"none\.npy: cannot read it"):
        as_rows(str(tmp_path / "none.npy"), "x")
    np.save(tmp_path / "b.npy", np.zeros((0, 4), np.float32))
    assert as_rows(str(tmp_path / "b.npy"), "x").read(0, 0).shape == (0, 4)


def beside(records, **arrays):
    shaped = {of: as_rows(np.array(rows, float)[:, None], of) for of, rows in arrays.items()}
    return [
        {of: rows[:, 0].tolist() for of, rows in found.items()}
        for _, found in rows_beside(records, shaped)
    ]


NEGATIVE = {"caption": "x"}


def test_each_record_comes_with_its_own_rows():
    records = [
        {"caption": "a", "negatives": [NEGATIVE] * 2},
        {"images": ["i", "j"], "captions": ["a", "b", "c"]},
        {"caption": "a", "negatives": [NEGATIVE]},
    ]
    lines = b"{\n" + to_lines(*records[:2]) + b"{\n" + to_lines(records[2]) + b"{\n"
    reader = RecordReader(io.BytesIO(lines), policy=ErrorPolicy("skip"))
    expected = [
        {"image": [1], "caption": [1], "negatives": [0, 1]},
        {"image": [2, 3], "caption": [2, 3, 4], "negatives": []},
        {"image": [5], "caption": [6], "negatives": [2]},
    ]
    assert beside(reader, image=range(7), caption=range(8), negatives=range(3)) == expected
    # Without lines that are no records there are no rows of them.
    found = beside(records, image=[1, 2, 3, 5], caption=[1, 2, 3, 4, 6], negatives=range(3))
    assert found == expected


def test_arrays_of_other_records_are_refused():
    with pytest.raises(HnclipError, match=r"image: .* does not belong to the records; got 3 rows"):
        beside([{"caption": "a"}] * 2, image=range(3))
    with pytest.raises(HnclipError, match=r"caption: the array has too few rows"):
        beside([{"caption": "a"}] * 2, image=range(2), caption=range(1))
    arrays = {"image": as_rows(np.ones((1, 2)), "i"), "caption": as_rows(np.ones((1, 3)), "c")}
    with pytest.raises(HnclipError, match="rows of different lengths; got i: 2, c: 3"):
        list(rows_beside([{}], arrays))


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, -3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 10**18)}",
        f"{{'descr': '<f4', 'fortran_order': False, 'shape': (0, {10**18})}}",
        f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({10**18}, 2)}}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (True, 2), 1: 2}",
        "{" * 2000,
        "(" * 2000 + "1",
        "{'descr': [], 'fortran_order': [], 'shape': {}}",
        "\x00'\\",
    ],
)
def test_a_strange_header_is_no_array(header):
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode("latin-1")
    with pytest.raises(HnclipError, match=r"^x\.npy: (not an NPY array|the array cannot be used)"):
        everything(data + bytes(24))


def test_a_stream_without_end_is_not_copied_for_ever():
    with open("/dev/zero", "rb") as zeros:

        class Endless(io.BytesIO):
            def read(self, size=-1):
                return super().read(size) or zeros.read(size)

        with pytest.raises(HnclipError, match="something follows the array; got more"):
            everything(saved(np.ones((2, 3), np.float32)), Endless)


def test_the_arrays_of_a_folder_are_one(tmp_path):
    whole = np.arange(40, dtype=np.float32).reshape(10, 4)
    (tmp_path / "deeper").mkdir()
    for name, part in (("a_00", whole[:3]), ("a_01", whole[3:3]), ("deeper/a_10", whole[3:])):
        np.save(tmp_path / f"{name}.npy", part)
    rows = as_rows(str(tmp_path), "")
    assert rows.shape == (10, 4)
    for start in range(11):
        for stop in range(start, 11):
            assert np.array_equal(rows.read(start, stop), whole[start:stop])
    assert np.array_equal(rows.array, whole)
    with pytest.raises(HnclipError, match="too few rows"):
        rows.read(5, 11)
    np.save(tmp_path / "b.npy", whole[:, :2])
    with pytest.raises(HnclipError, match="rows of different lengths"):
        as_rows(str(tmp_path), "")
    (tmp_path / "none").mkdir()
    with pytest.raises(HnclipError, match="no NPY file in the folder"):
        as_rows(str(tmp_path / "none"), "")
