import gzip
import io
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.errors import ExitCode, HnclipError, InputError
from hnclip_cli.streams import jsonl
from hnclip_cli.streams.files import open_input_file
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader, Shard


def reader(data, **options):
    return RecordReader(io.BytesIO(data), "x.jsonl", **options)


def lines(count):
    return b"".join(b'{"n":%d}\n' % number for number in range(count))


def test_records_know_their_line_and_their_index_past_blank_lines():
    found = [
        (record["n"], record.line, record.index) for record in reader(b'\n{"n":1}\n \n{"n":2}')
    ]
    assert found == [(1, 2, 0), (2, 4, 1)]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30)), st.integers(1, 9))
def test_chunk_borders_do_not_matter(texts, size):
    import orjson

    data = b"".join(orjson.dumps({"t": text}) + b"\n" for text in texts)
    old, jsonl.CHUNK_BYTES = jsonl.CHUNK_BYTES, size
    try:
        assert [record["t"] for record in reader(data)] == texts
    finally:
        jsonl.CHUNK_BYTES = old


def test_a_byte_order_mark_is_not_part_of_the_first_record():
    assert [dict(record) for record in reader(b'\xef\xbb\xbf{"n":1}\n')] == [{"n": 1}]


def test_the_records_before_a_bad_line_come_out_first():
    seen = []
    with pytest.raises(InputError, match=r"^x\.jsonl:3: broken JSON"):
        for record in reader(lines(2) + b"{\n" + lines(1)):
            seen.append(record["n"])
    assert seen == [0, 1]


def test_skipped_lines_are_counted_and_keep_their_index():
    reports = []
    policy = ErrorPolicy("skip", reports.append)
    found = reader(b'{"n":0}\n{\n{"n":2}\n', policy=policy)
    assert [(record["n"], record.index) for record in found] == [(0, 0), (2, 2)]
    assert policy.num_skipped == 1 and policy.exit_code is ExitCode.SKIPPED
    assert str(reports[0]).startswith("x.jsonl:2: broken JSON")
    assert found.num_lines == 3


@given(st.integers(0, 20), st.integers(1, 6))
def test_shards_joined_are_the_whole(count, parts):
    data = lines(count)
    joined = [
        record["n"] for part in range(parts) for record in reader(data, shard=Shard(part, parts))
    ]
    assert joined == list(range(count))


def test_a_shard_counts_its_own_index_but_the_files_lines():
    found = [(r["n"], r.index, r.line) for r in reader(lines(4), shard=Shard(1, 2))]
    assert found == [(2, 0, 3), (3, 1, 4)]


def test_a_shard_of_a_pipe_is_spooled():
    read_end, write_end = os.pipe()
    with open(write_end, "wb") as stream:
        stream.write(lines(5))
    with open(read_end, "rb") as stream:
        assert [r["n"] for r in RecordReader(stream, "-", shard=Shard(1, 2))] == [2, 3, 4]


def test_a_line_is_there_before_the_next_is_written():
    read_end, write_end = os.pipe()
    first_seen = threading.Event()

    def produce():
        with open(write_end, "wb", buffering=0) as stream:
            stream.write(lines(1))
            assert first_seen.wait(10)
            stream.write(b'{"n":1}\n')

    producer = threading.Thread(target=produce)
    producer.start()
    found = []
    with open(read_end, "rb") as stream:
        for record in RecordReader(stream):
            found.append(record["n"])
            first_seen.set()
    producer.join()
    assert found == [0, 1]


def test_gzip_is_unpacked_and_damage_is_named(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(lines(100)))
    with open_input_file(str(path)) as stream:
        assert sum(1 for _ in RecordReader(stream, str(path))) == 100
    path.write_bytes(gzip.compress(lines(100))[:-20])
    with open_input_file(str(path)) as stream, pytest.raises(HnclipError, match="damaged gzip"):
        list(RecordReader(stream, str(path)))


def test_a_line_has_a_bound(monkeypatch):
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", 100)
    monkeypatch.setattr(jsonl, "CHUNK_BYTES", 30)
    data = lines(1) + b'{"n":"' + b"x" * 200 + b'"}\n' + lines(2)
    with pytest.raises(InputError, match=r"^x\.jsonl:2: the line is too long; expected at most"):
        list(reader(data))
    policy = ErrorPolicy("skip")
    assert [record.line for record in reader(data, policy=policy)] == [1, 3, 4]
    assert policy.num_skipped == 1


@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_a_line_without_end_is_not_read_for_ever(monkeypatch, on_error):
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", 1 << 20)
    monkeypatch.setattr(jsonl, "MAX_SKIPPED_BYTES", 1 << 24)
    with (
        open_input_file("/dev/zero") as stream,
        pytest.raises(InputError, match=r"^/dev/zero:1: the line is too long"),
    ):
        list(RecordReader(stream, "/dev/zero", ErrorPolicy(on_error)))


def test_the_bound_holds_where_a_part_of_a_pipe_is_read(monkeypatch):
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", 1 << 20)
    with open_input_file("/dev/zero") as stream:
        stream.seekable = lambda: False
        with pytest.raises(InputError, match="the line is too long"):
            list(RecordReader(stream, "-", shard=Shard(0, 2)))


def test_fields_of_another_name_are_copied_and_where_both_are_absent_it_is_said():
    keys = {"caption": "text"}
    lines = b'{"text": "a cup", "n": 1}\n{"caption": "a bowl"}\n{"n": 2}\n'
    policy = ErrorPolicy("skip")
    read = list(RecordReader(io.BytesIO(lines), policy=policy, keys=keys))
    assert read == [{"text": "a cup", "n": 1, "caption": "a cup"}, {"caption": "a bowl"}]
    assert policy.num_skipped == 1
    with pytest.raises(InputError, match=r'^-:3: missing field "text"; got the fields n'):
        list(RecordReader(io.BytesIO(lines), keys=keys))


def test_the_lines_of_a_file_are_counted_and_of_nothing_else(tmp_path):
    (tmp_path / "a").write_bytes(b'{"n": 1}\n' * 7)
    (tmp_path / "a.gz").write_bytes(gzip.compress(b'{"n": 1}\n'))
    with open_input_file(str(tmp_path / "a")) as stream:
        reader = RecordReader(stream)
        assert reader.count_lines() == 7 and len(list(reader)) == 7
        assert RecordReader(stream, shard=Shard(1, 2)).count_lines() == 4
    with open_input_file(str(tmp_path / "a.gz")) as stream:
        assert RecordReader(stream).count_lines() is None
    assert RecordReader(io.BytesIO(b"{}\n")).count_lines() is None
