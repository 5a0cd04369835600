"""Progress bars: on a terminal only, with what is said behind them."""

import io

import pytest

from hnclip_cli import console


class Terminal(io.StringIO):
    def isatty(self):
        return True

    def fileno(self):
        raise OSError


def at_a_terminal(monkeypatch, verbosity=1):
    """Standard error, which pytest puts in place anew before each test."""
    monkeypatch.setattr(console.sys, "stderr", Terminal())
    monkeypatch.setattr(console, "verbosity", verbosity)
    return console.sys.stderr


class Count:
    number = 0

    def __str__(self):
        return f"{self.number} things/s"


def test_what_is_said_behind_a_bar_is_said_as_it_is_then(monkeypatch):
    terminal = at_a_terminal(monkeypatch)
    count = Count()
    for number in console.progress([3, 4], unit="block", total=2, says=count):
        count.number = number
    assert "2/2" in terminal.getvalue() and "3 things/s" in terminal.getvalue()


def test_a_bar_of_steps_is_drawn_from_the_first_step_on(monkeypatch):
    terminal = at_a_terminal(monkeypatch)
    with console.steps_bar(total=20) as draw:
        assert terminal.getvalue() == ""
        draw(10, "7 samples/s")
        draw(20, "8 samples/s")
    assert "20/20" in terminal.getvalue() and "8 samples/s" in terminal.getvalue()


@pytest.mark.parametrize("verbosity", [0, 1])
def test_nothing_is_drawn_without_a_terminal_or_with_q(monkeypatch, verbosity):
    terminal = at_a_terminal(monkeypatch, verbosity)
    if verbosity:
        monkeypatch.setattr(Terminal, "isatty", lambda self: False)
    with console.steps_bar(total=2) as draw:
        draw(1, "")
    assert list(console.progress([1, 2], unit="block")) == [1, 2]
    assert terminal.getvalue() == ""
