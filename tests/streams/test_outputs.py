import contextlib
import errno
import fcntl
import os
import re
import stat
import subprocess
import sys
import tempfile

import pytest

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams import outputs
from hnclip_cli.streams.outputs import atomic_output, only_writer, open_alone, temporary_file

OTHER = """
import sys
from hnclip_cli.streams.outputs import atomic_output, only_writer
with {what} as stream:
    print("open", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def elsewhere(what):
    """Another process that holds a file or folder open."""
    command = [sys.executable, "-c", OTHER.format(what=what)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == b"open\n"
        yield process
        process.kill()


def masked(mode):
    umask = os.umask(0)
    os.umask(umask)
    return mode & ~umask


def test_a_file_appears_whole(tmp_path):
    path = tmp_path / "out"
    with atomic_output(str(path)) as stream:
        stream.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["out"]
    assert stat.S_IMODE(path.stat().st_mode) == masked(0o666)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_after_an_error_the_old_file_stays_and_nothing_else(tmp_path, error):
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_output(str(path)) as stream:
        stream.write(b"half")
        raise error
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out"]


def test_a_link_that_the_user_names_is_followed(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    with atomic_output(str(tmp_path / "link")) as stream:
        stream.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


@pytest.mark.parametrize("target", ["dear", "/dev/null", "loop", "nowhere"])
def test_a_link_under_a_name_of_ours_is_replaced(tmp_path, target):
    dear, link = tmp_path / "dear", tmp_path / "loop"
    dear.write_bytes(b"dear")
    link.symlink_to(target)
    with atomic_output(str(link), follow_links=False) as stream:
        stream.write(b"new")
    assert not link.is_symlink() and link.read_bytes() == b"new"
    assert dear.read_bytes() == b"dear"


def test_what_was_private_stays_private(tmp_path):
    path = tmp_path / "out"
    path.write_bytes(b"old")
    path.chmod(0o600)
    with atomic_output(str(path)) as stream:
        stream.write(b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_names_may_be_as_long_as_the_file_system_has_them(tmp_path):
    path = tmp_path / ("x" * 255)
    with atomic_output(str(path)) as stream:
        stream.write(b"new")
    assert path.read_bytes() == b"new"


def test_devices_are_written_not_replaced():
    with atomic_output("/dev/null") as stream:
        stream.write(b"gone")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_failure_names_the_path_that_the_user_knows(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = str(tmp_path / "out")
    monkeypatch.setattr(os, "fsync", full)
    for name in (path, "/dev/full"):
        said = re.escape(f"{name}: cannot write it: No space left on device")
        with pytest.raises(HnclipError, match=said), atomic_output(name) as stream:
            stream.write(b"x")
    os.mkdir(path)
    said = re.escape(f"{path}: cannot write it: Is a directory")
    with pytest.raises(HnclipError, match=said), atomic_output(path):
        pass
    assert os.listdir(tmp_path) == ["out"]


def test_a_full_temporary_folder_is_named(monkeypatch):
    full = os.open("/dev/full", os.O_RDWR)
    monkeypatch.setattr(os, "dup", lambda descriptor: full)
    where = f"^{tempfile.gettempdir()}: cannot write it: No space left on device; try TMPDIR="
    with pytest.raises(HnclipError, match=where), temporary_file() as stream:
        stream.write(b"x" * 100_000)


def test_no_temporary_folder_is_named(monkeypatch):
    def nowhere():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/x']")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    with pytest.raises(HnclipError, match=r"temporary files: .*No usable temporary .*TMPDIR"):
        temporary_file()


def test_what_dead_runs_left_is_removed_and_nothing_else(tmp_path):
    (tmp_path / ".hnclip-0123456789abcdef.tmp").write_bytes(b"half")
    (tmp_path / "dear").write_bytes(b"dear")
    kept = {".hnclip-mine.tmp", ".hnclip-0123456789abcdeg.tmp", ".out.0123abcd.tmp", "dear"}
    for name in kept - {"dear"}:
        (tmp_path / name).write_bytes(b"mine")
    (tmp_path / ".hnclip-0000000000000000.tmp").symlink_to("dear")
    (tmp_path / ".hnclip-0000000000000001.tmp").mkdir()
    with elsewhere(f"atomic_output({str(tmp_path / 'other')!r})"):
        (living,) = set(os.listdir(tmp_path)) - kept - {
            f".hnclip-{number}.tmp" for number in ("0123456789abcdef", "0" * 16, "0" * 15 + "1")
        }  # fmt: skip
        with atomic_output(str(tmp_path / "out")):
            pass
        assert not (tmp_path / ".hnclip-0123456789abcdef.tmp").exists()
        assert kept | {living, "out"} <= set(os.listdir(tmp_path))
    outputs._remove_left_over.cache_clear()  # as in the next process
    with atomic_output(str(tmp_path / "out")):
        pass
    assert not (tmp_path / living).exists()
    assert (tmp_path / "dear").read_bytes() == b"dear"


def test_a_folder_has_one_writer(tmp_path):
    folder = str(tmp_path / "a" / "b")
    with elsewhere(f"only_writer({folder!r})"):
        for spelled in (folder, f"{folder}/../b", os.path.relpath(folder)):
            said = "another process is writing it"
            with pytest.raises(HnclipError, match=said), only_writer(spelled):
                pass
    (tmp_path / "a" / "b" / ".hnclip.lock").write_bytes(b"")  # of a run that was killed
    with only_writer(folder):
        (tmp_path / "a" / "b" / "model").write_bytes(b"")
    assert os.listdir(folder) == ["model"]


def test_a_folder_in_which_nothing_was_written_does_not_stay(tmp_path):
    with pytest.raises(ValueError), only_writer(str(tmp_path / "a" / "b")):
        raise ValueError
    assert os.listdir(tmp_path) == []


def test_without_locks_in_the_file_system_nothing_is_removed_and_all_is_written(
    tmp_path, monkeypatch
):
    def without(*args):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", without)
    left = tmp_path / ".hnclip-0123456789abcdef.tmp"
    left.write_bytes(b"perhaps alive")
    with only_writer(str(tmp_path)), atomic_output(str(tmp_path / "out")) as stream:
        stream.write(b"new")
    assert left.exists() and (tmp_path / "out").read_bytes() == b"new"


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_only_plain_files_are_opened_alone(tmp_path, kind):
    path = tmp_path / "x"
    (tmp_path / "dear").write_bytes(b"dear")
    make = {"link": lambda: path.symlink_to("dear"), "folder": path.mkdir,
            "pipe": lambda: os.mkfifo(path)}  # fmt: skip
    make[kind]()
    with pytest.raises(HnclipError, match="x: this file is in the way"):
        open_alone(str(path), "shown")
    assert (tmp_path / "dear").read_bytes() == b"dear"
