"""Work ahead, with functions that are slow, fail or hang, and sources that wait or fail."""

import os
import threading
import time

import pytest

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.streams.jsonl import RecordReader
from hnclip_cli.streams.threads import chunked, map_ahead, map_arriving


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_order(workers):
    assert list(map_ahead(lambda x: x * x, range(300), workers, depth=5)) == [
        x * x for x in range(300)
    ]


def test_work_really_runs_ahead():
    barrier = threading.Barrier(2, timeout=10)  # passes only when two run at once
    assert len(list(map_ahead(lambda x: barrier.wait(), range(2), workers=2))) == 2


def failing(count):
    yield from range(count)
    raise InputError("bad")


@pytest.mark.parametrize("workers", [0, 2])
def test_the_sources_error_comes_after_the_results_before_it(workers):
    seen = []
    with pytest.raises(InputError, match="bad"):
        for result in map_ahead(str, failing(3), workers):
            seen.append(result)
    assert seen == ["0", "1", "2"]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bad_item_is_an_error_in_its_place(workers):
    def work(item):
        time.sleep(0.05 if item == 0 else 0)
        if item == 1:
            raise InputError("bad")
        return item

    seen = []
    with pytest.raises(InputError, match="bad"):
        for result in map_ahead(work, range(9), workers):
            seen.append(result)
    assert seen == [0]


@pytest.mark.parametrize("error", [HnclipError("no key"), ZeroDivisionError()])
def test_any_other_failure_ends_the_work_at_once(error):
    release = threading.Event()

    def work(item):
        if item == 1:
            raise error
        release.wait(60)

    started = time.monotonic()
    with pytest.raises(type(error)):
        list(map_ahead(work, range(5), workers=2))
    assert time.monotonic() - started < 30
    release.set()


def late_first(item):
    time.sleep(0.05 if item % 4 == 0 else 0)
    return item * item


@pytest.mark.parametrize("workers", [0, 1, 2, 8])
def test_batches_of_any_size_come_in_the_order_of_their_items(workers):
    batches = [range(7), [], range(7, 20)]
    assert list(map_arriving(late_first, batches, workers)) == [n * n for n in range(20)]


def test_no_more_calls_than_workers_run_at_a_time():
    lock, now, most = threading.Lock(), [0], [0]

    def work(item):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.01)
        with lock:
            now[0] -= 1

    list(map_ahead(work, range(20), 3))
    assert most == [3]


def test_only_a_bounded_part_of_the_source_is_drawn_ahead():
    drawn, release = [], threading.Event()
    source = (drawn.append(number) or number for number in range(100))
    results = map_ahead(lambda item: release.wait(10) and item, source, workers=2, depth=8)
    runner = threading.Thread(target=lambda: done.extend(results))
    done = []
    runner.start()
    time.sleep(0.2)
    assert len(drawn) == 8
    release.set()
    runner.join(10)
    assert done == list(range(100))


def test_leaving_waits_for_no_call_and_begins_none():
    release, begun = threading.Event(), []

    def work(item):
        begun.append(item)
        return item if item == 0 else release.wait(60)

    started = time.monotonic()
    results = map_ahead(work, range(64), workers=2)
    assert next(results) == 0
    results.close()
    release.set()
    time.sleep(0.1)
    assert time.monotonic() - started < 30
    assert len(begun) <= 4


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    with open(reading, "rb") as stream, open(writing, "wb", buffering=0) as end:
        yield RecordReader(stream), end


def arriving(function, reader):
    return map_arriving(function, reader.batches(), 2, file=reader.file)


def test_results_are_handed_out_while_the_input_waits(pipe):
    reader, end = pipe
    results = arriving(lambda record: record["n"], reader)
    end.write(b'{"n":0}\n{"n"')  # half a line holds nothing up either
    assert next(results) == 0
    end.write(b":1}\n")
    assert next(results) == 1
    end.close()
    assert list(results) == []


def test_a_failure_is_met_while_the_input_waits(pipe):
    reader, end = pipe

    def work(record):
        raise HnclipError("no key")

    end.write(b'{"n":1}\n')
    with pytest.raises(HnclipError, match="no key"):
        list(arriving(work, reader))


def test_chunks_are_full_but_the_last():
    assert list(chunked(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(chunked([], 2)) == []


def test_a_bad_record_does_not_take_those_before_it_along():
    seen = []
    with pytest.raises(InputError):
        for chunk in chunked(failing(3), 2):
            seen.append(chunk)
    assert seen == [[0, 1], [2]]
