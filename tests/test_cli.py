import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from hnclip_cli import plugins
from hnclip_cli.cli import COMMANDS, cli

# A thread that is still busy when the command line ends, however it ends.
SCRIPT = """
import threading, time
from hnclip_cli import cli
def run():
    threading.Thread(target=time.sleep, args=(60,), daemon={daemon}).start()
    print("out", end="")
    {ending}
cli.cli = run
cli.main()
"""


@pytest.mark.parametrize(
    ("ending", "code"),
    [("raise KeyboardInterrupt", 130), ("raise SystemExit(3)", 3), ("raise SystemExit(0)", 0)],
)
@pytest.mark.parametrize("daemon", [True, False])
def test_threads_do_not_hold_up_the_end_nor_lose_what_was_written(ending, code, daemon):
    started = time.monotonic()
    script = SCRIPT.format(ending=ending, daemon=daemon)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=50)
    assert (done.returncode, done.stdout, done.stderr) == (code, b"out", b"")
    assert time.monotonic() - started < 45


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_of_commands_says_what_each_says_itself(name):
    command = cli.get_command(None, name)
    assert command.name == name
    assert COMMANDS[name] == " ".join((command.help or "").split("\n\n")[0].split())


def test_a_mistyped_command_is_answered_with_the_right_one():
    result = CliRunner().invoke(cli, ["negative"])
    assert result.exit_code == 2
    assert "negatives" in result.stderr


@pytest.mark.parametrize("arguments", [["negative"], ["eval", "--format", "xml"], ["eval", "-h"]])
def test_plug_ins_in_use_take_no_blame_for_wrong_usage_or_help(monkeypatch, arguments):
    monkeypatch.setattr(plugins, "in_use", {"some-plugin"})
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == (0 if "-h" in arguments else 2)
    assert "some-plugin" not in result.stderr
