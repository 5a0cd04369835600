"""What a person at a terminal sees and types, in a real pseudo-terminal."""

import fcntl
import os
import pty
import re
import subprocess
import sys
import termios
import time

import pytest

from tests.conftest import environment, parse_lines, to_lines
from tests.factories import make_records

SECONDS = 120.0


class Terminal:
    """A process whose standard error and keyboard are a terminal of its own."""

    def __init__(self, folder, *command):
        self.screen, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, b"\x18\x00\x50\x00\0\0\0\0")  # 24 lines of 80
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hnclip_cli", *command], cwd=folder, env=environment(),
            stdin=inner, stdout=subprocess.PIPE, stderr=inner, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # Ctrl-C goes to it
        )  # fmt: skip
        os.close(inner)
        self.text = ""

    def read(self, until=None):
        """Read what is drawn, up to a pattern or the end."""
        last = time.monotonic() + SECONDS
        while time.monotonic() < last and not (until and re.search(until, self.text)):
            try:
                part = os.read(self.screen, 1 << 16).decode()
            except OSError:  # the process has ended
                return self.text
            self.text += part
        return self.text

    def type(self, keys):
        os.write(self.screen, keys)

    def end(self):
        """Read all; the exit code, and standard output."""
        self.read()
        out, _ = self.process.communicate(timeout=SECONDS)
        os.close(self.screen)
        return self.process.returncode, out


def write(folder, name, count):
    (folder / name).write_bytes(to_lines(*make_records(folder, count)))


@pytest.mark.long
def test_train_draws_one_line_and_ctrl_c_saves_the_state(tmp_path):
    write(tmp_path, "pairs.jsonl", 8)
    train = ["train", "--model", "hnclip-tiny", "--objective", "clip", "--batch-size", "4",
             "--workers", "0", "--log-every", "1", "--device", "cpu", "-o", "run"]  # fmt: skip
    terminal = Terminal(tmp_path, *train, "--steps", "100000", "pairs.jsonl")
    terminal.read(until=r"step [3-9]\d* of 100,?000")
    terminal.type(b"\x03")
    code, log = terminal.end()
    assert code == 75, terminal.text
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", terminal.text))
    drawn = [line for line in lines if re.match(r"step \d", line)]
    assert len(drawn) > 1 and max(map(len, lines)) <= 80
    assert all("loss" in line and "samples/s" in line for line in drawn[-1:])
    steps = [line["step"] for line in parse_lines(log)]
    assert steps == list(range(1, len(steps) + 1))
    assert re.search(
        f"stopped by a signal after step {steps[-1]}, with the state saved", terminal.text
    )
    resumed = Terminal(tmp_path, *train, "--resume", "--steps", "100000", "pairs.jsonl")
    resumed.read(until=r"step \d+ of")
    resumed.type(b"\x03")
    code, log = resumed.end()
    assert code == 75 and parse_lines(log)[0]["step"] == steps[-1] + 1


def test_negatives_show_how_much_of_a_file_is_done(tmp_path):
    write(tmp_path, "in.jsonl", 3)
    terminal = Terminal(tmp_path, "negatives", "--kind", "shuffle-words", "in.jsonl", "-o", "out")
    code, _ = terminal.end()
    assert code == 0 and re.search(r"3/3 .*record/s|3/3 .*s/record", terminal.text), terminal.text
    assert len(parse_lines((tmp_path / "out").read_bytes())) == 3
