"""What is said of the speed of a run, by a clock that is set by hand."""

import pytest

from hnclip_cli.streams import pace as pace_room
from hnclip_cli.streams.pace import Pace


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(pace_room.os, "cpu_count", lambda: 8)
    now = [100.0]
    monkeypatch.setattr(pace_room.time, "perf_counter", lambda: now[0])

    def passes(seconds):
        now[0] += seconds

    return passes


def run(clock, pace, rounds, waiting, working):
    def batches():
        for number in range(rounds):
            clock(waiting)
            yield number

    for number in pace.each(batches()):
        clock(working if number else 50)  # the first batch takes its time
        pace.add(32)


@pytest.mark.parametrize(
    ("workers", "advice"),
    [
        (0, "; try --workers 1"), (2, "; try --workers 4"), (6, "; try --workers 8"),
        (8, ": 8 processes decode on 8 cores"), (None, ""),
    ],
)  # fmt: skip
def test_a_model_that_waits_names_what_to_raise(clock, workers, advice):
    pace = Pace("images", workers)
    run(clock, pace, rounds=11, waiting=0.3, working=0.7)
    (line,) = pace.notes()
    assert line == f"32 images/s; the model waited for its input in 30% of the time{advice}"
    clock(1000)  # the end is what was done last
    assert str(pace) == "32 images/s, 30% waiting"


def test_a_model_that_hardly_waits_is_given_no_advice(clock):
    pace = Pace("samples", 1)
    run(clock, pace, rounds=6, waiting=5.0, working=95.0)
    assert pace.notes() == ["0.32 samples/s; the model waited for its input in 5% of the time"]


@pytest.mark.parametrize(("rounds", "seconds"), [(0, 9.0), (1, 9.0), (4, 0.1)])
def test_of_a_short_run_nothing_is_said(clock, rounds, seconds):
    pace = Pace("samples", 1)
    run(clock, pace, rounds, waiting=0.0, working=seconds)
    assert pace.notes() == []
    assert "samples/s" in str(pace)
