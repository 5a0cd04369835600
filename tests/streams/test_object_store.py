"""Files behind URLs that the user has typed, in a store that is busy, slow, or cuts connections."""

import contextlib
import gzip
import io

import numpy as np
import pytest

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams import remote
from hnclip_cli.streams.files import open_input_file, read_whole
from hnclip_cli.streams.jsonl import RecordReader, Shard
from hnclip_cli.streams.npy import NpyWriter, as_rows
from hnclip_cli.streams.outputs import atomic_output
from tests.conftest import parse_lines, run_hnclip, to_lines

pytest.importorskip("s3fs", reason="s3fs is absent: pip install s3fs")
pytest.importorskip("moto.server", reason="moto is absent: pip install 'moto[server]'")

RECORDS = to_lines(*({"id": str(n), "caption": f"{n + 2} black cats"} for n in range(200)))
FAILURES = ["busy", "slow", "cut", None]


@pytest.fixture(scope="module")
def running():
    from tests import object_store

    with contextlib.closing(object_store.Store()) as store:
        yield store


@pytest.fixture
def store(running, monkeypatch):
    """With an empty bucket and short patience."""
    import fsspec

    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(remote, "PAUSE", 0.01)
    monkeypatch.setattr(remote, "BLOCK_BYTES", 1000)
    files = fsspec.filesystem("s3")
    files.clear_instance_cache()
    files = fsspec.filesystem("s3")
    if files.exists("bucket"):
        files.rm("bucket", recursive=True)
    files.mkdir("bucket")
    running.files = files
    running.requests.clear()
    running.failures.clear()
    yield running
    running.failures.clear()


def write(url, data):
    with atomic_output(url) as stream:
        stream.write(data)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"])
def test_records_come_back_whatever_fails(store, name, monkeypatch):
    monkeypatch.setattr(remote, "TIMEOUT", 0.5)
    store.failures.extend(2 * FAILURES)
    write(f"s3://bucket/{name}", RECORDS)
    store.failures.extend(6 * FAILURES)
    with open_input_file(f"s3://bucket/{name}") as stream:
        assert [record["id"] for record in RecordReader(stream)] == [str(n) for n in range(200)]
    parts = [part for _, _, part in store.requests if part]
    assert len(parts) > len(set(parts))  # one was asked for again


def test_a_shard_is_read_from_a_copy(store):
    write("s3://bucket/a.jsonl", RECORDS)
    ids = []
    for index in range(3):
        with open_input_file("s3://bucket/a.jsonl") as stream:
            ids += [record["id"] for record in RecordReader(stream, shard=Shard(index, 3))]
    assert ids == [str(n) for n in range(200)]


def test_an_array_goes_there_and_back(store):
    rows = np.random.default_rng(0).standard_normal((300, 4), np.float32)
    with atomic_output("s3://bucket/a.npy") as stream, NpyWriter(stream, 4) as writer:
        writer.write(rows)
    assert np.array_equal(np.load(io.BytesIO(store.files.cat_file("bucket/a.npy"))), rows)
    assert np.array_equal(as_rows("s3://bucket/a.npy", "").read(0, 300), rows)


def test_after_an_error_there_is_no_file_and_the_old_one_stays(store):
    write("s3://bucket/old", b"old")
    for name in ("old", "new"):
        with pytest.raises(ValueError), atomic_output(f"s3://bucket/{name}") as stream:
            stream.write(b"half")
            raise ValueError
    assert [store.files.cat_file(path) for path in store.files.ls("bucket", refresh=True)] == [
        b"old"
    ]


def test_a_store_that_never_answers_is_an_error_without_secrets(store, monkeypatch):
    monkeypatch.setattr(remote, "FILE_ATTEMPTS", 2)
    monkeypatch.setattr(remote, "TIMEOUT", 0.2)
    store.slow_seconds = 0.5
    write("s3://bucket/a", b"a")
    for call in (read_whole, lambda url: write(url, b"new")):
        store.failures.extend(20 * ["slow"])
        with pytest.raises(HnclipError, match="file cannot be fetched") as e:
            call("s3://known:hidden@bucket/a")
        assert "hidden" not in str(e.value)
        store.failures.clear()
    assert store.files.cat_file("bucket/a") in (b"a", b"new")


def test_a_file_that_changes_meanwhile_is_an_error(store):
    write("s3://bucket/a.jsonl", RECORDS)
    with open_input_file("s3://bucket/a.jsonl") as stream:
        stream.read(10)
        write("s3://bucket/a.jsonl", RECORDS[::-1])
        with pytest.raises(HnclipError, match="the file was changed while it was read"):
            stream.read()


@pytest.mark.parametrize(
    "url, problem",
    [
        ("s3://bucket/none", "file not found; got 's3://bucket/none'"),
        ("s3://bucket/a::file:///etc/passwd", "a chain of URLs"),
        ("nothing://b/a", "file cannot be fetched"),
    ],
)
def test_what_cannot_be_read_is_named(store, url, problem):
    with pytest.raises(HnclipError, match=problem):
        read_whole(url)


def test_a_command_reads_and_writes_there(store):
    write("s3://bucket/in.jsonl.gz", RECORDS)
    store.failures.extend([None, "busy", "cut", "busy"])
    done = run_hnclip(
        "negatives", "--kind", "replace-number", "s3://bucket/in.jsonl.gz",
        "-o", "s3://bucket/out.jsonl.gz",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    records = parse_lines(gzip.decompress(store.files.cat_file("bucket/out.jsonl.gz")))
    assert [record["id"] for record in records] == [str(n) for n in range(200)]
