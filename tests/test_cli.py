import contextlib
import io
import os
import signal
import subprocess
import sys
import time
import zlib

import pytest
from click.testing import CliRunner

from hnclip_cli import console, plugins
from hnclip_cli.cli import COMMANDS, cli
from tests.conftest import environment, to_lines
from tests.factories import make_records

BAD = "x\x1b[31m\nhnclip: done " + "y" * 3000

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


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "out of host memory; try a part of the input"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9"), "out of host memory; try"),
        (OSError(12, "Cannot allocate memory", "x"), "out of host memory; try"),
        (RuntimeError("std::bad_alloc"), "out of host memory; try"),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA"), "out of GPU memory; try"),
        (RuntimeError("NCCL Error 1: Cuda failure 'out of memory'"), "out of GPU memory; try"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), "out of GPU memory"),
        (RecursionError("too deep"), "RecursionError: too deep; try -v"),
        (ModuleNotFoundError("No module named 'x'"), "ModuleNotFoundError: No module named 'x'"),
        (zlib.error("Error -3"), "error: Error -3; try -v"),
        (OSError(5, "Input/output error", "a\x1bb"), r"a\x1bb: Input/output error"),
        (ValueError("one\ntwo\x1b[2J"), r"ValueError: one two\x1b[2J; try -v"),
        (EOFError(), "EOFError; try -v"),
        (type("PanicException", (BaseException,), {})("no"), "PanicException: no; try -v"),
    ],
    ids=lambda case: type(case).__name__,
)
def test_whatever_reaches_the_top_is_one_line(monkeypatch, error, line):
    monkeypatch.setattr(plugins, "in_use", set())  # by a test before

    def fail(*args, **options):
        raise error

    monkeypatch.setattr("hnclip_cli.negatives.fitting.fit", fail)
    result = CliRunner().invoke(cli, ["fit"])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"hnclip: {line}") and result.stderr.count("\n") == 1
    result = CliRunner().invoke(cli, ["fit", "-v"])
    assert result.exit_code == 1
    assert result.stderr.startswith("Traceback") and f"\nhnclip: {line}" in result.stderr
    assert "\x1b" not in result.stderr


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "out of host memory; try --micro-batch 8, a smaller --batch-size or"),
        (
            RuntimeError("CUDA out of memory"),
            "out of GPU memory; try --micro-batch auto, a smaller",
        ),
    ],
    ids=str,
)
def test_train_says_what_to_lower(tmp_path, monkeypatch, error, line):
    def fail(*args, **options):
        raise error

    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.jsonl").write_bytes(to_lines(*make_records(tmp_path)))
    monkeypatch.setattr("open_clip.create_model_and_transforms", fail)
    command = ["train", "--model", "hnclip-tiny", "--steps", "1", "--batch-size", "2", "-o", "run"]
    result = CliRunner().invoke(cli, [*command, "r.jsonl"])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"hnclip: {line}") and result.stderr.count("\n") == 1


def test_a_failed_cleanup_does_not_hide_its_cause(monkeypatch):
    @contextlib.contextmanager
    def open_output(path, binary=False):
        try:
            yield io.BytesIO()
        finally:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(console, "open_output", open_output)
    result = CliRunner().invoke(cli, ["negatives"], input=b"{}\n")
    assert result.exit_code == 1
    cleanup, cause = result.stderr.splitlines()
    assert cleanup.startswith("hnclip: and while that was cleaned up: ")
    assert cause.startswith('hnclip: -:1: missing field "caption"')


@pytest.mark.parametrize(
    "arguments",
    [["negatives", "--seed", BAD], [BAD], ["eval", "x", BAD], ["--" + BAD], ["compare", BAD]],
)
def test_usage_errors_echo_nothing_that_a_terminal_obeys(arguments):
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert "\x1b" not in result.stderr and "\nhnclip: done" not in result.stderr
    assert max(map(len, result.stderr.splitlines())) <= 1000


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["fit", "--help"]])
@pytest.mark.parametrize("target", ["full", "gone"])
def test_help_that_nobody_can_read_is_no_success(arguments, target):
    reading, gone = os.pipe()
    os.close(reading)
    stdout = gone if target == "gone" else os.open("/dev/full", os.O_WRONLY)
    done = subprocess.run(
        [sys.executable, "-m", "hnclip_cli", *arguments],
        stdout=stdout, stderr=subprocess.PIPE, env=environment(),
    )  # fmt: skip
    os.close(gone)
    if target == "gone":
        assert (done.returncode, done.stderr) == (141, b"")
    else:
        assert done.returncode == 1
        assert done.stderr.startswith(b"hnclip: standard output: cannot write it: No space")
        assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("arguments", ["--help", "--version", "fit --help"])
def test_help_without_standard_output_is_no_success(arguments):
    command = ["sh", "-c", f'"$0" -m hnclip_cli {arguments} >&-', sys.executable]
    done = subprocess.run(command, stderr=subprocess.PIPE, env=environment())
    assert (done.returncode, done.stderr) == (1, b"hnclip: standard output is closed\n")


def test_where_stderr_is_full_the_exit_code_still_counts():
    with open("/dev/full", "wb") as full:
        for arguments, code in ((["--nope"], 2), (["eval", "nope"], 1)):
            command = [sys.executable, "-m", "hnclip_cli", *arguments]
            done = subprocess.run(command, stderr=full, env=environment())
            assert done.returncode == code


def test_where_stderr_is_closed_nothing_takes_its_place():
    """Neither standard output nor a file that is opened gets what it would have said."""
    command = ["sh", "-c", '"$0" -m hnclip_cli --nope 2>&-', sys.executable]
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment())
    assert (done.returncode, done.stdout) == (2, b"")


def test_a_closed_terminal_leaves_no_half_written_file(tmp_path):
    command = [sys.executable, "-m", "hnclip_cli", "data", "scenes", "d", "-n", "999999", "-o", "f"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment()) as process:
        while not list(tmp_path.glob(".hnclip-*")):
            time.sleep(0.02)
            assert process.poll() is None
        process.send_signal(signal.SIGHUP)
        assert process.wait(30) == 143
    assert {path.name for path in tmp_path.iterdir()} <= {"d"}


SWALLOWED = """
import os, signal, time
from hnclip_cli import cli
cli.UNWIND_SECONDS = 0.5
signal.signal(signal.SIGTERM, cli._terminate)
try:
    os.kill(os.getpid(), signal.SIGTERM)
except SystemExit:
    pass
time.sleep(60)
"""


def test_whoever_takes_sigterm_for_a_failure_of_his_own_ends_all_the_same():
    done = subprocess.run([sys.executable, "-c", SWALLOWED], env=environment(), timeout=30)
    assert done.returncode == 143
