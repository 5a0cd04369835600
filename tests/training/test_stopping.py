import contextlib
import os
import signal

import pytest

from hnclip_cli.errors import Stopped
from hnclip_cli.training.stopping import TOGETHER_SECONDS, StopSignals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGINT])
def test_a_signal_is_noted_between_steps_and_the_handlers_come_back(number):
    was = signal.signal(number, signal.default_int_handler)  # under nohup it may be ignored
    try:
        with StopSignals() as stop:
            stop.wait_for_steps()
            assert not stop()
            os.kill(os.getpid(), number)
            assert stop()
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, was)


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with StopSignals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_before_the_steps_a_signal_ends_it_at_once_and_is_remembered():
    with StopSignals() as stop:
        with pytest.raises(Stopped, match="before the first step"):
            os.kill(os.getpid(), signal.SIGUSR1)
        assert stop()  # should a library swallow the exception


def test_a_stop_can_be_asked_for_without_a_signal():
    stop = StopSignals()
    stop.request()
    assert stop()


def test_no_failure_of_others_hides_a_signal():
    """As where a package is imported that can do without another one."""
    with StopSignals(), pytest.raises(Stopped), contextlib.suppress(Exception):
        os.kill(os.getpid(), signal.SIGTERM)


def test_before_the_steps_ctrl_c_loses_nothing_and_ends_it():
    with StopSignals(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_a_second_ctrl_c_leaves_at_once_but_not_the_same_one_heard_twice(monkeypatch):
    clock, said = [1.0], []
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    with StopSignals(said.append) as stop:
        stop.wait_for_steps()
        for _ in range(2):  # of the terminal, and of torchrun
            os.kill(os.getpid(), signal.SIGINT)
            clock[0] += TOGETHER_SECONDS / 2
        assert stop() and len(said) == 1
        clock[0] += TOGETHER_SECONDS
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
