"""Functions in processes: what is made there, answers, errors, deaths."""

import json
import os
import signal
import threading
import time

import pytest

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.streams import processes as processes_room
from hnclip_cli.streams.processes import Died, InProcesses
from hnclip_cli.streams.threads import map_ahead


def working():
    """A function of what to do; what it loads is loaded once a process."""
    made = os.getpid()

    def work(task):
        if task == "bad":
            raise InputError("bad item")
        if task == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if task == "hang":
            time.sleep(1000)
        if task == "fault":
            return 1 // 0
        if task == "much":
            return [bytes(range(256))] * 500 + [bytes(range(256)) * 19500]
        answer = task, made, os.getpid(), os.environ["OMP_NUM_THREADS"], os.getsid(0)
        return json.dumps(answer).encode()

    return work


def unloadable():
    raise HnclipError("cannot be loaded")


def pids(processes):
    return [process.pid for process in processes.running]


def test_answers_come_from_as_many_processes_as_are_busy():
    with InProcesses(working, 3) as processes:
        first, second = (json.loads(bytes(processes.call(item))) for item in (1, 2))
        assert len(pids(processes)) == 1
        assert first[1:] == second[1:]
        answers = [json.loads(bytes(answer)) for answer in map_ahead(processes.call, range(60), 3)]
    assert [answer[0] for answer in answers] == list(range(60))
    assert all(made == pid == session for _, made, pid, _, session in answers)
    assert {threads for *_, threads, _ in answers} == {"1"}
    assert len({pid for _, _, pid, *_ in answers}) <= 3


def test_an_answer_may_be_of_any_length_and_in_parts():
    with InProcesses(working, 1) as processes:
        assert processes.call("much") == bytes(range(256)) * 20000
        assert json.loads(bytes(processes.call(1)))[0] == 1  # a shorter one after it


def test_an_answer_that_is_cut_short_is_none(monkeypatch):
    with InProcesses(working, 1) as processes:
        processes.call(1)
        with monkeypatch.context() as fault:
            fault.setattr(processes_room.os, "preadv", lambda *args: 1)
            with pytest.raises(Died, match="cut short"):
                processes.call(2)
        assert json.loads(bytes(processes.call(3)))[0] == 3


def test_an_error_is_raised_here_and_the_process_goes_on():
    with InProcesses(working, 1) as processes:
        with pytest.raises(InputError, match="bad item"):
            processes.call("bad")
        assert bytes(processes.call(1)).startswith(b"[1,")


def test_what_cannot_be_made_is_said_at_each_call():
    with InProcesses(unloadable, 1) as processes:
        for _ in range(2):
            with pytest.raises(HnclipError, match="cannot be loaded"):
                processes.call(1)


def test_a_death_is_told_and_the_next_call_has_a_new_process(capfd):
    with InProcesses(working, 1) as processes:
        with pytest.raises(Died, match=r"signal 9 \(Killed\)"):
            processes.call("killed")
        with pytest.raises(Died, match="ZeroDivisionError: integer division"):
            processes.call("fault")
        assert bytes(processes.call(1)).startswith(b"[1,")
        os.kill(pids(processes)[0], signal.SIGKILL)
        with pytest.raises(Died, match="signal 9"):
            processes.call(1)
    assert capfd.readouterr().err == ""


def test_leaving_ends_the_processes_and_the_calls_that_wait():
    errors = []

    def call():
        try:
            processes.call("hang")
        except HnclipError as error:
            errors.append(str(error))

    with InProcesses(working, 1) as processes:
        thread = threading.Thread(target=call)
        thread.start()
        while not pids(processes):
            time.sleep(0.01)
    thread.join(20)
    assert errors == ["the run has ended"]


@pytest.mark.parametrize(
    ("item", "message"),
    [("x" * 10_000_000, "it takes nothing for 1 seconds"), ("x", "not done after 0.5 seconds")],
)
def test_a_process_that_takes_nothing_is_given_up(monkeypatch, item, message):
    monkeypatch.setattr(processes_room, "SOCKET_SECONDS", 1.0)
    with InProcesses(working, 1, deadline=0.5) as processes:
        (pid,) = {json.loads(bytes(processes.call(1)))[2]}
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(Died, match=message):
            processes.call(item)
        assert json.loads(bytes(processes.call(2)))[2] != pid
