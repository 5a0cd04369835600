"""Processes that decode: the same images, deaths, deadlines, signals, no orphans."""

import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.streams import decoders, processes
from hnclip_cli.streams.decoders import Decoders, apply_steps
from hnclip_cli.streams.images import load_image
from hnclip_cli.streams.records import Record
from hnclip_cli.streams.threads import map_ahead
from tests.conftest import environment

RECORD = Record({}, "x.jsonl", 4)

# A stand-in for a decoder: names of images say what it does with them.
MISBEHAVING = """
import os, signal, time
from hnclip_cli.streams import decoders
load = decoders.load_image
def misbehave(record, name, root):
    if name == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if name == "hang":
        time.sleep(1000)
    if name == "loop":
        while True: pass
    if name == "exit":
        os._exit(7)
    return load(record, name, root)
def decoding(*arguments):
    decoders.load_image = misbehave
    return decoders._decoding(*arguments)
"""


@pytest.fixture
def folder(tmp_path):
    for number in range(12):
        Image.new("RGB", (10 + number, 20)).save(tmp_path / f"{number}.png")
    (tmp_path / "misbehaving.py").write_text(MISBEHAVING)
    return str(tmp_path)


@pytest.fixture
def misbehaving(folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    decoding = importlib.import_module("misbehaving").decoding
    monkeypatch.setattr(decoders, "_decoding", decoding)


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def assert_gone(pids, seconds=20):
    deadline = time.monotonic() + seconds
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(is_running, pids))


def pids_of(pool):
    return [process.pid for process in pool.running]


def test_images_and_errors_are_those_of_load_image(folder):
    Path(folder, "bad.png").write_bytes(b"no")
    names = [f"{n}.png" for n in range(12)] + ["bad.png", "none.png", "https://x.org/a.png"]

    def outcome(load):
        def call(name):
            try:
                return load(name).tobytes()
            except InputError as error:
                return str(error)

        return call

    plain = [outcome(lambda name: load_image(RECORD, name, folder))(name) for name in names]
    with Decoders(folder, workers=2) as pool:
        ahead = map_ahead(outcome(lambda name: pool(RECORD, name)), names, workers=4)
        assert list(ahead) == plain


def test_processes_are_started_as_they_are_needed(folder):
    with Decoders(folder, workers=3) as pool:
        assert pids_of(pool) == []
        pool(RECORD, "0.png")
        assert len(pids_of(pool)) == 1
        list(map_ahead(lambda n: pool(RECORD, f"{n % 12}.png"), range(60), workers=6))
        pids = pids_of(pool)
        assert len(pids) <= 3
    assert_gone(pids)


def test_a_large_image_crosses_the_socket(folder):
    image = Image.effect_noise((1500, 1000), 80).convert("RGB")
    image.save(Path(folder, "large.png"))
    with Decoders(folder, workers=1) as pool:
        assert pool(RECORD, "large.png").tobytes() == image.tobytes()


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("crash", r"signal 11 \(Segmentation fault\)"),
        ("exit", r"exit code 7"),
    ],
)
def test_an_image_that_kills_a_process_costs_its_own_record_only(folder, misbehaving, name, how):
    with Decoders(folder, workers=1) as pool:
        for _ in range(2):
            assert pool(RECORD, "3.png").size == (13, 20)
            with pytest.raises(InputError, match=rf"^x\.jsonl:4: image cannot be decoded \({how}"):
                pool(RECORD, name)
        assert pool(RECORD, "3.png").size == (13, 20)
        assert len(pids_of(pool)) == 1


def test_of_images_loaded_in_one_call_a_bad_one_costs_itself_only(folder, misbehaving):
    names = ["0.png", "none.png", "crash", "1.png", "hang", "exit", "2.png"]
    with Decoders(folder, workers=1, deadline=1.0) as pool:
        found = pool.load([(RECORD, name, ()) for name in names])
    images = {0: (10, 20), 3: (11, 20), 6: (12, 20)}
    for number, (name, outcome) in enumerate(zip(names, found, strict=True)):
        if number in images:
            assert outcome.image().size == images[number]
        else:
            assert isinstance(outcome, InputError) and name in str(outcome)


@pytest.mark.parametrize("name", ["hang", "loop"])
def test_an_image_that_takes_for_ever_is_given_up(folder, misbehaving, name):
    with Decoders(folder, workers=1, deadline=0.5) as pool:
        with pytest.raises(InputError, match=r"not done after 0\.5 seconds\); got '"):
            pool(RECORD, name)
        assert pool(RECORD, "3.png").size == (13, 20)


def test_a_process_that_cannot_start_is_no_fault_of_the_image(folder, monkeypatch):
    monkeypatch.setattr(processes, "_START", "raise SystemExit(1)")
    with Decoders(folder, workers=1) as pool:
        with pytest.raises(HnclipError, match=r"cannot start .*exit code 1\); try --work") as found:
            pool(RECORD, "3.png")
        assert not isinstance(found.value, InputError)


def test_closing_ends_calls_that_wait(folder, misbehaving):
    pool = Decoders(folder, workers=1)
    pool(RECORD, "0.png")
    errors = []

    def call(name):
        try:
            pool(RECORD, name)
        except HnclipError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=call, args=("hang",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    pids = pids_of(pool)
    pool.close()
    for thread in threads:
        thread.join(20)
    assert errors == ["the run has ended"] * 3
    assert_gone(pids)


def test_signals_are_left_to_the_calling_process(folder):
    with Decoders(folder, workers=1) as pool:
        pool(RECORD, "0.png")
        pids = pids_of(pool)
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
            os.kill(pids[0], signum)
        assert pool(RECORD, "1.png").size == (11, 20)
        assert pids_of(pool) == pids
        assert os.getsid(pids[0]) != os.getsid(0)


def test_a_process_has_no_part_in_the_pipes_of_the_command(folder):
    with Decoders(folder, workers=1) as pool:
        pool(RECORD, "0.png")
        for fd in (0, 1):
            assert Path(f"/proc/{pids_of(pool)[0]}/fd/{fd}").readlink() == Path("/dev/null")


@pytest.mark.parametrize("name", ["0.png", "hang", "loop"])
def test_processes_end_when_their_parent_is_killed(folder, name):
    program = (
        "import sys\n"
        "from hnclip_cli.streams import decoders\n"
        "from hnclip_cli.streams.records import Record\n"
        f"sys.path.insert(0, {folder!r})\n"
        "import misbehaving; decoders._decoding = misbehaving.decoding\n"
        f"pool = decoders.Decoders({folder!r}, 1)\n"
        "pool(Record({}), '0.png')\n"
        "print(*(process.pid for process in pool.running), flush=True)\n"
        f"pool(Record({{}}), {name!r})\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=environment(),
    )  # fmt: skip
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == 1 and is_running(pids[0])
    time.sleep(0.2)  # it is at the image now
    parent.kill()
    parent.communicate()
    assert_gone(pids)


def test_only_pillow_is_imported():
    program = (
        "import sys; import hnclip_cli.streams.decoders as d; from hnclip_cli.streams import images"
        "; images._formats(); print(sorted({'torch', 'numpy', 'open_clip'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"


def test_no_steps_leave_an_image_as_it_is():
    image = Image.effect_noise((30, 20), 50).convert("RGB")
    assert apply_steps(image, []).tobytes() == image.tobytes()


def test_interrupting_ends_at_once_without_a_trace(folder):
    """Ctrl-C in the terminal, which reaches every process of the group."""
    program = (
        "import sys\n"
        "from hnclip_cli.streams import decoders\n"
        "from hnclip_cli.streams.threads import map_ahead\n"
        "from hnclip_cli.streams.records import Record\n"
        f"sys.path.insert(0, {folder!r})\n"
        "import misbehaving; decoders._decoding = misbehaving.decoding\n"
        f"pool = decoders.Decoders({folder!r}, 2)\n"
        "names = ['0.png', 'hang', 'hang', 'hang']\n"
        "results = map_ahead(lambda name: pool(Record({}), name), names, 4)\n"
        "try:\n"
        "    for image in results:\n"
        "        print('one', flush=True)\n"
        "except KeyboardInterrupt:\n"
        "    print(*(process.pid for process in pool.running))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(), process_group=0,
    )  # fmt: skip
    assert process.stdout.readline() == b"one\n"
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, b"")
    assert_gone([int(word) for word in out.split()])
