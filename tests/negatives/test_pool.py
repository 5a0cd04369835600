"""The pool by itself: with functions that are slow, fail or die at a given record."""

import contextlib
import io
import os
import signal
import threading
import time

import pytest

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.negatives import pool as pool_module
from hnclip_cli.negatives.pool import AHEAD, Pool
from hnclip_cli.streams.jsonl import RecordReader
from hnclip_cli.streams.records import Record
from tests.conftest import to_lines

WORKERS = [0, 1, 2, 3]


def echo():
    return lambda batch: [record["n"] for record in batch]


def uneven():
    """The first batches take longest, so that later ones are ready before them."""

    def work(batch):
        time.sleep(0.15 if batch[0]["n"] % 3 == 0 else 0)
        return [record["n"] for record in batch]

    return work


def stumbling():
    def work(batch):
        for record in batch:
            if record["n"] == 4:
                raise record.error("stumbled")
        return [record["n"] for record in batch]

    return work


def killed():
    def work(batch):
        if batch[0]["n"] == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        return [record["n"] for record in batch]

    return work


def buggy():
    return lambda batch: 1 // 0


def unloadable():
    raise HnclipError("cannot be loaded")


def threads():
    return lambda batch: [os.environ["OMP_NUM_THREADS"]]


def batches(count, size=1):
    return [
        [Record({"n": n * size + i}, "x.jsonl", n * size + i + 1) for i in range(size)]
        for n in range(count)
    ]


def run(make, workers, source):
    """What was emitted, and the error that ended it; no process may be left."""
    emitted = []
    error = None
    with Pool(make, emitted.extend, workers) as pool:
        try:
            pool.run(source)
        except HnclipError as caught:
            error = caught
        processes = [worker._process for worker in pool._workers]
    assert all(process.returncode is not None for process in processes)
    return emitted, error


@pytest.mark.parametrize("workers", WORKERS)
def test_results_come_in_order_whoever_is_ready_first(workers):
    assert run(uneven, workers, batches(7)) == (list(range(7)), None)


@pytest.mark.parametrize("workers", WORKERS)
def test_large_batches_are_cut_and_joined(workers, monkeypatch):
    monkeypatch.setattr(pool_module, "PIECE", 4)
    assert run(echo, workers, batches(2, size=10)) == (list(range(20)), None)


@pytest.mark.parametrize("workers", WORKERS)
def test_an_error_of_the_function_comes_in_the_place_of_its_result(workers):
    emitted, error = run(stumbling, workers, batches(9))
    assert emitted == [0, 1, 2, 3]
    assert (type(error), str(error)) == (InputError, "x.jsonl:5: stumbled")


@pytest.mark.parametrize("workers", WORKERS)
def test_an_error_of_the_source_comes_after_all_results_before_it(workers):
    def source():
        yield from batches(3)
        raise InputError("no record")

    emitted, error = run(uneven, workers, source())
    assert (emitted, str(error)) == ([0, 1, 2], "no record")


@pytest.mark.parametrize("workers", WORKERS)
def test_an_error_of_the_one_who_takes_the_results_ends_it(workers):
    taken = []

    def emit(result):
        taken.extend(result)
        if len(taken) == 2:
            raise HnclipError("full")

    with Pool(echo, emit, workers) as pool, pytest.raises(HnclipError, match="full"):
        pool.run(batches(20))
    assert taken == [0, 1]


@pytest.mark.parametrize("workers", WORKERS)
def test_what_cannot_be_loaded_is_said_once(workers):
    with pytest.raises(HnclipError, match="cannot be loaded"):  # noqa: SIM117
        with Pool(unloadable, print, workers) as pool:
            pool.run(batches(3))


def test_a_process_that_is_killed_is_an_error_that_names_the_records():
    emitted, error = run(killed, 2, batches(9))
    assert emitted == list(range(len(emitted))) and len(emitted) <= 4
    assert "x.jsonl:5: a worker process died" in str(error)
    assert "got signal 9 (Killed)" in str(error) and "try --workers 1" in str(error)


def test_a_fault_in_the_function_shows_its_trace_and_ends_it(capfd):
    _, error = run(buggy, 2, batches(3))
    assert "got exit code 1" in str(error)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_process_killed_between_batches_is_an_error():
    def source():
        yield batches(1)[0]
        while not emitted:
            pool.wait()
        os.kill(pool._workers[0]._process.pid, signal.SIGKILL)
        pool._workers[0]._process.wait()
        yield batches(1)[0]

    emitted = []
    with Pool(echo, emitted.extend, 2) as pool, pytest.raises(HnclipError, match="signal 9"):
        pool.run(source())


def test_batches_are_drawn_only_as_they_can_be_worked_on():
    most = 0

    def source():
        nonlocal most
        for drawn, batch in enumerate(batches(30)):
            most = max(most, drawn - len(emitted))
            yield batch

    emitted = []
    with Pool(uneven, emitted.extend, 2) as pool:
        pool.run(source())
    assert emitted == list(range(30))
    assert most <= 2 * AHEAD


def test_processes_are_started_as_they_are_needed():
    with Pool(echo, list, 3) as pool:
        pool.run([])
        assert pool._workers == []
        pool.run(batches(1))
        assert len(pool._workers) == 1


def test_a_process_computes_on_one_thread():
    assert run(threads, 2, batches(1))[0] == ["1"]


@contextlib.contextmanager
def live_pipe():
    """A pipe as a buffered stream, and the end to write to."""
    source, target = os.pipe()
    with open(source, "rb") as stream, open(target, "wb", buffering=0) as end:
        yield stream, end


def test_a_line_is_answered_while_the_next_is_half_written():
    emitted = []
    answered = threading.Event()

    def emit(result):
        emitted.extend(result)
        answered.set()

    def produce():
        end.write(to_lines({"n": 0}) + b'{"n"')
        seen.append(answered.wait(30))
        end.write(b": 1}\n")
        end.close()

    seen = []
    with live_pipe() as (stream, end), Pool(echo, emit, 2) as pool:
        producer = threading.Thread(target=produce)
        producer.start()
        pool.run(RecordReader(pool.watch(stream)).batches())
        producer.join()
    assert (seen, emitted) == ([True], [0, 1])


def test_an_error_met_while_waiting_for_input_ends_the_run():
    """Nobody writes to the pipe any more, and nobody closes it."""
    with live_pipe() as (stream, end), Pool(stumbling, list, 2) as pool:
        end.write(to_lines({"n": 4}))
        with pytest.raises(InputError, match="-:1: stumbled"):
            pool.run(RecordReader(pool.watch(stream)).batches())


def test_a_process_that_dies_while_input_is_waited_for_ends_the_run():
    with live_pipe() as (stream, end), Pool(killed, list, 2) as pool:
        end.write(to_lines({"n": 4}))
        with pytest.raises(HnclipError, match="a worker process died"):
            pool.run(RecordReader(pool.watch(stream)).batches())


def test_only_streams_whose_file_tells_what_is_there_are_watched():
    with Pool(echo, list, 2) as pool, live_pipe() as (stream, _):
        memory = io.BytesIO()
        assert pool.watch(memory) is memory
        assert pool.watch(stream) is not stream
    with Pool(echo, list, 1) as pool, live_pipe() as (stream, _):
        assert pool.watch(stream) is stream
