"""Calls in flight, with functions that are slow, fail or hang."""

import io
import os
import threading
import time

import pytest

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.negatives.generators.flight import AHEAD, InFlight
from hnclip_cli.streams.jsonl import RecordReader


def fly(function, batches, limit=4):
    found = []
    with InFlight(function, lambda item, result: found.append((item, result)), limit) as flight:
        try:
            flight.run(batches)
        finally:
            fly.found = found
    return found


def late_first(item):
    time.sleep(0.05 if item % 4 == 0 else 0)
    return item * item


@pytest.mark.parametrize("limit", [1, 2, 8])
def test_results_come_in_the_order_of_the_items(limit):
    batches = [range(7), [], range(7, 20)]
    assert fly(late_first, batches, limit) == [(n, n * n) for n in range(20)]


def test_no_items_no_results():
    assert fly(late_first, []) == []


def test_no_more_calls_than_allowed_run_at_a_time():
    lock, now, most = threading.Lock(), [0], [0]

    def work(item):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.01)
        with lock:
            now[0] -= 1

    fly(work, [range(20)], 3)
    assert most == [3]


def test_only_a_bounded_part_of_the_input_is_read_ahead():
    drawn, release = [], threading.Event()

    def source():
        for number in range(100):
            drawn.append(number)
            yield [number]

    def work(item):
        release.wait(10)
        return item

    done = []
    with InFlight(work, lambda item, result: done.append(item), 2) as flight:
        runner = threading.Thread(target=flight.run, args=(source(),))
        runner.start()
        time.sleep(0.2)
        assert len(drawn) <= 2 * AHEAD + 1
        release.set()
        runner.join(10)
    assert done == list(range(100))


def test_a_bad_item_is_a_result_like_others():
    def work(item):
        if item == 2:
            raise InputError("bad")
        return item

    results = [result for _, result in fly(work, [range(5)])]
    assert [isinstance(result, InputError) for result in results] == [n == 2 for n in range(5)]


@pytest.mark.parametrize("error", [HnclipError("no key"), ZeroDivisionError()])
def test_any_other_failure_ends_the_run_at_once(error):
    release = threading.Event()

    def work(item):
        if item == 1:
            raise error
        release.wait(10)

    with pytest.raises(type(error)):
        fly(work, [range(5)], 2)
    assert fly.found == []
    release.set()


def test_a_failing_source_fails_after_the_results_before_it():
    def source():
        yield [1, 2]
        raise InputError("bad line")

    with pytest.raises(InputError, match="bad line"):
        fly(late_first, source())
    assert fly.found == [(1, 1), (2, 4)]


def test_what_the_consumer_raises_ends_the_run():
    def emit(item, result):
        raise HnclipError("disk full")

    with pytest.raises(HnclipError, match="disk full"), InFlight(late_first, emit, 2) as flight:
        flight.run([[1, 2, 3]])


def test_leaving_waits_for_no_call():
    started = time.monotonic()
    release = threading.Event()
    with pytest.raises(HnclipError), InFlight(lambda n: release.wait(60), print, 2) as flight:
        flight.run(iter([[1, 2], *failing()]))
    assert time.monotonic() - started < 30
    release.set()


def failing():
    raise HnclipError("stop")
    yield


def test_results_are_handed_on_while_the_input_waits():
    reading, writing = os.pipe()
    found = threading.Event()
    with open(reading, "rb") as stream, open(writing, "wb", buffering=0) as pipe:

        def emit(record, result):
            assert result == record["n"]
            found.set()

        with InFlight(lambda record: record["n"], emit, 2) as flight:
            batches = RecordReader(flight.watch(stream)).batches()
            runner = threading.Thread(target=flight.run, args=(batches,))
            runner.start()
            for number in range(3):
                pipe.write(b'{"n":%d}\n' % number)
                assert found.wait(10)
                found.clear()
            pipe.close()
            runner.join(10)
            assert not runner.is_alive()


def test_an_error_met_while_waiting_for_input_is_not_taken_for_one_of_the_input():
    reading, writing = os.pipe()
    with open(reading, "rb") as stream, open(writing, "wb", buffering=0) as pipe:

        def work(record):
            raise HnclipError("no key")

        with InFlight(work, lambda *_: None, 2) as flight:
            pipe.write(b'{"n":1}\n')
            with pytest.raises(HnclipError, match="no key"):
                flight.run(RecordReader(flight.watch(stream)).batches())


def test_a_stream_that_is_no_file_is_read_as_it_is():
    stream = io.BytesIO(b"")
    with InFlight(late_first, print, 1) as flight:
        assert flight.watch(stream) is stream
