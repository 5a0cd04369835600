import threading

import pytest

from hnclip_cli.errors import HnclipError
from hnclip_cli.training import trackers
from hnclip_cli.training.trackers import Tracker, Tracking, check_installed, numbers

LINE = {"step": 3, "loss": 0.5, "val": {"accuracy": {"pair": 1}}, "time": "2026", "epoch": 0.25}


def test_numbers_are_named_by_where_they_stand():
    found = {"loss": 0.5, "val/accuracy/pair": 1, "epoch": 0.25}
    assert dict(numbers(LINE)) == found


def test_it_is_opened_with_the_first_line_and_finished_after_the_last():
    said = []

    def start():
        said.append("start")
        return Tracker(lambda found, step: said.append((step, found)), lambda: said.append("end"))

    with Tracking("board", start, said.append):
        pass
    assert said == []
    with Tracking("board", start, said.append) as tracking:
        tracking.put({"step": 1, "loss": 2.0})
        tracking.put({"step": 2, "loss": 1.0})
    assert said == ["start", (1, {"loss": 2.0}), (2, {"loss": 1.0}), "end"]


@pytest.mark.parametrize("where", ["start", "log", "finish"])
def test_one_that_hangs_is_left_behind(monkeypatch, where):
    monkeypatch.setattr(trackers, "LAST_SECONDS", 0.05)
    monkeypatch.setattr(trackers, "MAX_WAITING", 5)
    never, notes = threading.Event(), []

    def wait(at):
        return lambda *_: never.wait() if at == where else None

    def start():
        wait("start")()
        return Tracker(wait("log"), wait("finish"))

    with Tracking("board", start, notes.append) as tracking:
        for step in range(9):
            tracking.put({"step": step})
    never.set()
    assert notes[0] == "board did not end within 0.05 s, and is left behind"


@pytest.mark.parametrize("where", ["start", "log"])
def test_one_that_fails_is_named_and_the_run_goes_on(where):
    notes = []

    def fail(*_):
        raise ValueError("no such key")

    def start():
        return fail() if where == "start" else Tracker(fail, list)

    with Tracking("board", start, notes.append) as tracking:
        for step in range(3):
            tracking.put({"step": step})
    assert notes[0] == "board failed, and the run goes on without it: no such key"
    assert notes[1] == f"board has not got {3 if where == 'start' else 2} lines, which the log has"


def test_a_package_that_is_not_there_is_named():
    with pytest.raises(HnclipError, match=r"try pip install 'hnclip\[no_such\]'"):
        check_installed("no_such")


def test_tensorboard_gets_each_number(tmp_path):
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    ).EventAccumulator
    with Tracking("tensorboard", lambda: trackers.tensorboard(str(tmp_path)), print) as tracking:
        tracking.put(LINE)
    events = accumulator(str(tmp_path)).Reload()
    assert [(e.step, e.value) for e in events.Scalars("val/accuracy/pair")] == [(3, 1.0)]


def test_wandb_writes_a_run_offline(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    notes = []
    with Tracking("wandb", lambda: trackers.wandb(str(tmp_path), {}), notes.append) as tracking:
        tracking.put(LINE)
    assert notes == [] and list(tmp_path.glob("wandb/offline-run-*/*.wandb"))
