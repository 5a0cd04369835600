import io
import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.npy import NpyReader, NpyWriter


class Pipe(io.BytesIO):
    """A stream that does not seek."""

    def seekable(self):
        return False


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
        assert np.array_equal(NpyReader(Pipe(data), "x.npy").read_rest(), array)


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
        reader = NpyReader(stream, "-")
        assert reader.shape == (5000, 16)
        assert np.array_equal(np.concatenate([reader.read(1234), reader.read_rest()]), array)
        reader.expect_end()
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
        NpyReader(io.BytesIO(saved(array)), "x.npy")


@pytest.mark.parametrize("data", [b"", b"{}\n", b"\x93NUMPY", saved(np.ones((2, 2)))[:30]])
def test_what_is_no_npy_is_refused(data):
    with pytest.raises(HnclipError, match=r"x\.npy: not an NPY array"):
        NpyReader(io.BytesIO(data), "x.npy")


def test_truncation_names_the_rows():
    data = saved(np.ones((4, 8), np.float32))[:-40]
    with pytest.raises(HnclipError, match="truncated; got 2 rows, expected the 4 rows"):
        NpyReader(io.BytesIO(data), "x.npy").read_rest()


def test_too_few_and_too_many_rows_are_told():
    reader = NpyReader(io.BytesIO(saved(np.ones((2, 3), np.float32))), "x.npy")
    reader.read(1)
    with pytest.raises(HnclipError, match="got 2 rows, expected 1, one for each"):
        reader.expect_end()
    with pytest.raises(HnclipError, match=r"too few rows .* got 2 rows, expected at least 3"):
        reader.read(2)


def test_half_precision_is_read_as_float32():
    with NpyWriter(stream := io.BytesIO(), 2, "float16") as writer:
        writer.write(np.ones((1, 2), np.float32))
    stream.seek(0)
    assert NpyReader(stream, "x.npy").read_rest().dtype == np.float32


def test_rows_of_another_width_are_refused():
    with NpyWriter(io.BytesIO(), 2) as writer, pytest.raises(ValueError, match="expected"):
        writer.write(np.ones((1, 3), np.float32))


@pytest.mark.parametrize("is_file", [True, False])
def test_a_row_can_be_sought_backwards_in_a_file_only(is_file):
    rows = np.arange(20000, dtype=np.float32).reshape(-1, 2)
    stream = io.BytesIO()
    np.save(stream, rows)
    source = io.BytesIO(stream.getvalue())
    if not is_file:
        source.seekable = lambda: False
    reader = NpyReader(source, "a.npy")
    assert reader.is_seekable == is_file
    reader.seek_row(9000)
    np.testing.assert_array_equal(reader.read(2), rows[9000:9002])
    if is_file:
        reader.seek_row(1)
        np.testing.assert_array_equal(reader.read(2), rows[1:3])
    else:
        with pytest.raises(ValueError, match="cannot go back from row 9002 to 1"):
            reader.seek_row(1)
