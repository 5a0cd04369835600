from datetime import datetime

import pytest

from hnclip_cli.streams.pace import Pace
from hnclip_cli.training.line import LogTimes, StepLine


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    return now


def test_the_line_says_steps_loss_speed_time_left_and_waiting(clock):
    pace = Pace("samples", 2)
    line = StepLine(pace, None)
    pace.add(64)
    assert line.text(11, 3000, 2.34567) == "step 11 of 3,000 | loss 2.346"
    with pace.waiting():
        clock[0] += 1
    clock[0] += 3
    pace.add(64)
    said = line.text(12, 3000, 2.0)
    assert said == "step 12 of 3,000 | loss 2 | 16 samples/s | 3:19:12 left | 25% waiting"


def test_where_the_clock_ends_the_run_the_rest_of_it_is_left(clock):
    pace = Pace("samples", 2)
    line = StepLine(pace, 90)
    pace.add(1)
    line.text(1, None, 1.0)
    clock[0] += 10
    pace.add(1)
    assert line.text(2, None, 1.0).startswith("step 2 | loss 1 | 0.1 samples/s | 1:20 left")


def test_the_log_gets_the_time_and_the_speed_since_the_line_before(clock):
    pace = Pace("samples", 2)
    times = LogTimes(pace)
    pace.add(10)
    assert "samples_per_second" not in times.added({"step": 1})
    for seconds in (1, 2):
        clock[0] += seconds
        pace.add(10)
        assert times.added({"step": 2})["samples_per_second"] == 10 / seconds
    said = times.added({"step": 2, "val": {}})
    assert list(said) == ["step", "val", "time"]
    assert datetime.fromisoformat(said["time"]).tzinfo
