import gzip
import sys

import pytest

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.files import open_input_file, read_whole
from hnclip_cli.streams.outputs import atomic_output
from hnclip_cli.streams.packed import packing_of

DATA = bytes(range(256)) * 100
PACKED = ["a.gz", "a.zst"]


def write(path, *pieces):
    with atomic_output(str(path)) as stream:
        for piece in pieces:
            stream.write(piece)
            stream.flush()
    return path.read_bytes()


@pytest.mark.parametrize("name", PACKED)
def test_what_is_written_comes_back_and_has_the_same_bytes_each_time(tmp_path, name):
    pieces = [DATA[start : start + 100] for start in range(0, len(DATA), 100)]
    one, other = write(tmp_path / name, *pieces), write(tmp_path / f"other-{name}", *pieces)
    assert one == other
    assert read_whole(str(tmp_path / name)) == DATA
    assert len(one) < len(DATA) / 20  # although each piece was flushed


@pytest.mark.parametrize("name", PACKED)
def test_packed_parts_are_joined_by_cat(tmp_path, name):
    parts = write(tmp_path / name, b"one") + write(tmp_path / name, b"two")
    (tmp_path / name).write_bytes(parts)
    assert read_whole(str(tmp_path / name)) == b"onetwo"


@pytest.mark.parametrize("name, kind", [("a.gz", "gzip"), ("a.zst", "zstd")])
def test_a_damaged_file_is_named(tmp_path, name, kind):
    data = write(tmp_path / name, DATA)
    for damaged in (data[:-9], b"no" + data[2:]):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(HnclipError, match=rf"{name}: damaged {kind} file"):
            read_whole(str(tmp_path / name))


def test_an_error_leaves_no_packed_file(tmp_path):
    with pytest.raises(ValueError), atomic_output(str(tmp_path / "a.gz")) as stream:
        stream.write(DATA)
        raise ValueError
    assert not list(tmp_path.iterdir())


def test_closing_closes_both(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(DATA))
    stream = open_input_file(str(tmp_path / "a.gz"))
    below = stream.fileobj
    stream.close()
    assert below.closed


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    for module in ("backports.zstd", "compression.zstd"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(HnclipError, match=r"package for zstd is missing.*hnclip\[zstd\]"):
        write(tmp_path / "a.zst", DATA)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "path, packing",
    [("s3://b/a.jsonl.gz", ".gz"), ("https://x.org/a.zst?key=a.gz", ".zst"), ("a.gz/b", "")],
)
def test_the_end_of_the_name_says_it(path, packing):
    assert packing_of(path) == packing
