"""Progress bars and lines: on a terminal only, with what is said behind them."""

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


def test_a_line_takes_the_place_of_the_one_before_and_notes_stand_above_it(monkeypatch):
    terminal = at_a_terminal(monkeypatch)
    monkeypatch.setattr(console, "DRAWN_SECONDS", -1.0)
    with console.live_line() as show:
        assert terminal.getvalue() == ""
        show("step 1")
        console.note("a note")
        show("step 2" + 500 * "!")
    said = terminal.getvalue().replace("\n", "\r").split("\r")
    lines = [line.strip() for line in said if line.strip()]
    assert lines[:2] == ["step 1", "hnclip: a note"] and lines[2].startswith("step 2!")
    assert max(map(len, lines)) < 500


def test_lines_are_not_drawn_faster_than_eyes_see_but_the_last_is(monkeypatch):
    terminal = at_a_terminal(monkeypatch)
    monkeypatch.setattr(console, "DRAWN_SECONDS", 3600.0)
    monkeypatch.setattr("time.monotonic", lambda: 4000.0)
    with console.live_line() as show:
        for step in range(1000):
            show(f"step {step}")
    assert "step 0" in terminal.getvalue() and "step 999" in terminal.getvalue()
    assert "step 500" not in terminal.getvalue()


@pytest.mark.parametrize("verbosity", [0, 1])
def test_nothing_is_drawn_without_a_terminal_or_with_q(monkeypatch, verbosity):
    terminal = at_a_terminal(monkeypatch, verbosity)
    if verbosity:
        monkeypatch.setattr(Terminal, "isatty", lambda self: False)
    with console.live_line() as show:
        show("step 1")
    assert list(console.progress([1, 2], unit="block")) == [1, 2]
    assert terminal.getvalue() == ""


def test_a_bar_over_a_reader_has_the_number_of_its_lines(monkeypatch, tmp_path):
    (tmp_path / "in").write_bytes(b'{"id": "1"}\n' * 5)
    terminal = at_a_terminal(monkeypatch)
    with console.Run("fail") as run:
        reader = run.read(str(tmp_path / "in"))
        assert len(list(console.reading(reader, reader, says="fast"))) == 5
    assert "5/5" in terminal.getvalue() and "fast" in terminal.getvalue()
