import os
import stat

import pytest

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.files import atomic_output, atomic_path, inside, open_input_file


def test_a_file_appears_whole(tmp_path):
    path = tmp_path / "out"
    with atomic_output(str(path)) as stream:
        stream.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["out"]


def test_after_an_error_the_old_file_stays_and_nothing_else(tmp_path):
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic_output(str(path)) as stream:
        stream.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out"]


def test_links_are_followed_and_permissions_are_the_users(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    with atomic_output(str(tmp_path / "link")) as stream:
        stream.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o666 & ~umask


def test_a_library_may_write_the_file_itself(tmp_path):
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with atomic_path(str(path)) as name:
        os.unlink(name)  # as safetensors does, which then makes a private file
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o600))
        assert path.read_bytes() == b"old"
    umask = os.umask(0)
    os.umask(umask)
    assert path.read_bytes() == b"" and os.listdir(tmp_path) == ["out"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    with pytest.raises(KeyboardInterrupt), atomic_path(str(path)):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == ["out"]


def test_devices_are_written_not_replaced():
    with atomic_output("/dev/null") as stream:
        stream.write(b"gone")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_what_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(HnclipError, match="none: cannot read it: No such file"):
        open_input_file(str(tmp_path / "none"))
    with pytest.raises(HnclipError, match="cannot write it"), atomic_output(str(tmp_path / "a/b")):
        pass


@pytest.mark.parametrize("name", ["../a.jpg", "/etc/passwd", "a/../../b.jpg"])
def test_names_from_data_files_stay_inside(name):
    with pytest.raises(HnclipError, match="leaves its folder"):
        inside("images", name, "image")


def test_plain_names_are_joined():
    assert inside("images/val", "a/b.jpg", "image") == "images/val/a/b.jpg"
