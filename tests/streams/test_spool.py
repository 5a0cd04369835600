from concurrent.futures import ThreadPoolExecutor

import pytest

from hnclip_cli.streams import spool as spool_module
from hnclip_cli.streams.records import Record
from hnclip_cli.streams.spool import Spool


@pytest.fixture
def spool(monkeypatch):
    monkeypatch.setattr(spool_module, "_RECORDS_AT_ONCE", 4)
    with Spool() as spool:
        for n in range(10):
            spool.add(Record({"n": n, "text": "\r\u2028ü" * n}, "x.jsonl", 2 * n + 1))
        yield spool


def places(records):
    return [(record["n"], record.where, record.index) for record in records]


EXPECTED = [(n, f"x.jsonl:{2 * n + 1}", n) for n in range(10)]


def test_records_come_back_in_any_order_with_their_places(spool):
    assert len(spool) == 10
    assert places(spool) == EXPECTED
    assert places(spool[n] for n in (7, 0, 9)) == [EXPECTED[n] for n in (7, 0, 9)]
    assert spool[3]["text"] == "\r\u2028ü" * 3


def test_reading_does_not_disturb_reading_or_adding(spool):
    one, other = iter(spool), iter(spool)
    assert [next(one)["n"], next(other)["n"], spool[5]["n"], next(one)["n"]] == [0, 0, 5, 1]
    line = spool.add(Record({"n": 10}, "x.jsonl", 21))
    assert line == b'{"n":10}\n'
    assert [record["n"] for record in spool] == list(range(11))


def test_threads_read_at_once(spool):
    with ThreadPoolExecutor(4) as threads:
        assert places(threads.map(spool.__getitem__, [n % 10 for n in range(400)])) == EXPECTED * 40


def test_nothing_is_nothing():
    assert list(Spool()) == []
