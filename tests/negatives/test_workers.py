"""hnclip negatives --workers among real processes: live input, signals, deaths, closed readers."""

import array
import fcntl
import os
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.conftest import environment, parse_lines, run_hnclip, to_lines

pytestmark = [pytest.mark.usefixtures("parser"), pytest.mark.long]

CAPTION = b'{"caption":"a black cat on a white sofa"}\n'
KIND = ("--kind", "replace-color")


def captions(count):
    return to_lines(*({"id": str(n), "caption": f"{n} red cats on a bed"} for n in range(count)))


def start(*args, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "hnclip_cli", "negatives", *KIND, *map(str, args)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
        **options,
    )  # fmt: skip


def children(pid):
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"  # a zombie has ended; only nobody has asked how


def assert_gone(pids, seconds=20):
    deadline = time.monotonic() + seconds
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(is_running, pids))


@pytest.fixture
def busy():
    """A run with two workers that have answered once and wait for more, and their ids."""
    process = start("--workers", 2)
    process.stdin.write(CAPTION * 600)
    process.stdin.flush()
    assert b'"negatives"' in process.stdout.readline()
    pids = children(process.pid)
    assert pids
    yield process, pids
    process.kill()
    process.communicate()


def test_the_number_of_workers_changes_nothing():
    one = run_hnclip("negatives", *KIND, stdin=captions(600))
    for workers in (0, 3):
        many = run_hnclip("negatives", *KIND, "--workers", workers, stdin=captions(600))
        assert (many.returncode, many.stdout, many.stderr) == (0, one.stdout, b"")


def test_each_line_is_answered_before_the_next_is_written():
    process = start("--workers", 2)
    for _ in range(3):
        process.stdin.write(CAPTION)
        process.stdin.flush()
        assert b'"negatives"' in process.stdout.readline()
    process.stdin.close()
    assert process.stdout.read() == b""
    assert process.wait(60) == 0


def test_nothing_in_nothing_out():
    done = run_hnclip("negatives", "--workers", 2)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_what_comes_before_a_bad_record_is_written_and_nothing_after():
    good = captions(700)
    for bad, message in [
        (b'{"image":"x"}\n', b'hnclip: -:701: missing field "caption"; got the fields image\n'),
        (b"nonsense\n", b"hnclip: -:701: broken JSON"),
    ]:
        done = run_hnclip("negatives", *KIND, "--workers", 2, stdin=good + bad + good)
        assert done.returncode == 1
        assert [record["id"] for record in parse_lines(done.stdout)] == [*map(str, range(700))]
        assert done.stderr.startswith(message)


def test_bad_records_are_named_in_order_and_counted():
    bad = b'{"image":"x"}\n'
    lines = captions(300) + bad + captions(300) + bad
    done = run_hnclip("negatives", *KIND, "--workers", 2, "--on-error", "skip", stdin=lines)
    assert (done.returncode, len(parse_lines(done.stdout))) == (3, 600)
    named = [line.split(b": ")[2] for line in done.stderr.splitlines()[:-1]]
    assert named == [b"-:301", b"-:602"]
    assert done.stderr.endswith(b"hnclip: skipped 2 bad records\n")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_all_processes_silently(busy, signum, code):
    process, pids = busy
    process.send_signal(signum)
    assert process.wait(60) == code
    assert_gone(pids)
    assert process.stderr.read() == b""


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_whole_group_while_workers_start_ends_all(signum, code, tmp_path):
    """As the terminal sends Ctrl-C to every process of a pipe."""
    process = start("--workers", 2, "-o", tmp_path / "out.jsonl", process_group=0)
    process.stdin.write(CAPTION * 600)
    process.stdin.flush()
    deadline = time.monotonic() + 60
    while not (pids := children(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signum)
    assert process.wait(60) == code
    assert_gone(pids)
    assert process.stderr.read() == b""
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_although_nobody_reads(signum, code):
    process = start()
    process.stdin.write(CAPTION * 1500)  # more than a pipe holds, once they have negatives
    process.stdin.flush()
    while select.select([process.stdout], [], [], 60)[0] and not _is_full(process.stdout):
        time.sleep(0.01)
    process.send_signal(signum)
    assert process.wait(20) == code
    process.communicate()


def _is_full(pipe):
    waiting = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, waiting)
    return waiting[0] > 60_000


def test_a_closed_reader_ends_all_processes_with_141(busy):
    process, pids = busy
    process.stdout.close()
    try:
        while process.poll() is None:
            process.stdin.write(CAPTION * 300)
            process.stdin.flush()
    except BrokenPipeError:
        pass
    assert process.wait(60) == 141
    assert_gone(pids)
    assert process.stderr.read() == b""


def test_a_worker_that_is_killed_is_an_error_and_no_hang(busy):
    process, pids = busy
    os.kill(pids[0], signal.SIGKILL)
    process.stdin.write(CAPTION * 600)
    process.stdin.flush()
    process.stdout.read()
    assert process.wait(60) == 1
    assert_gone(pids)
    assert b"a worker process died" in process.stderr.read()


def test_workers_end_when_their_parent_is_killed(busy):
    process, pids = busy
    process.kill()
    process.wait(60)
    assert_gone(pids)


def test_no_worker_reads_or_writes_the_pipes_of_the_command(busy):
    _, pids = busy
    for pid in pids:
        for fd in (0, 1):
            assert Path(f"/proc/{pid}/fd/{fd}").readlink() == Path("/dev/null")


def test_a_closed_stdin_does_no_harm_where_a_file_is_named(tmp_path):
    (tmp_path / "c.jsonl").write_bytes(captions(5))
    script = f"{sys.executable} -m hnclip_cli negatives --workers 2 {tmp_path}/c.jsonl <&-"
    done = subprocess.run(["bash", "-c", script], capture_output=True, env=environment())
    assert (done.returncode, len(parse_lines(done.stdout))) == (0, 5), done.stderr
