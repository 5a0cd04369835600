import gzip
import os
import threading

import pytest

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams import files
from hnclip_cli.streams.files import check_no_pipes, inside, open_input_file, read_whole
from hnclip_cli.streams.outputs import atomic_output


def test_what_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(HnclipError, match="none: cannot read it: No such file"):
        open_input_file(str(tmp_path / "none"))
    with pytest.raises(HnclipError, match="cannot write it"), atomic_output(str(tmp_path / "a/b")):
        pass


@pytest.mark.parametrize("name", ["../a.jpg", "/etc/passwd", "a/../../b.jpg"])
def test_names_from_data_files_stay_inside(name):
    with pytest.raises(HnclipError, match="leaves its folder"):
        inside("images", name, "image")


def test_names_from_data_files_are_no_urls():
    with pytest.raises(HnclipError, match="leaves its folder"):
        inside("", "https://x.org/a.jpg", "image")


def test_a_file_url_is_a_path(tmp_path):
    with atomic_output(f"file://{tmp_path}/a") as stream:
        stream.write(b"a")
    assert read_whole(f"file://{tmp_path}/a") == (tmp_path / "a").read_bytes() == b"a"


def test_plain_names_are_joined():
    assert inside("images/val", "a/b.jpg", "image") == "images/val/a/b.jpg"


def test_a_named_pipe_is_waited_for_only_so_long(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "OPEN_SECONDS", 0.2)
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    with pytest.raises(HnclipError, match=r"nobody writes to this named pipe, within 0\.2 seconds"):
        open_input_file(pipe)
    os.mkfifo(other := str(tmp_path / "other"))
    with pytest.raises(HnclipError, match="nobody reads this named pipe"), atomic_output(other):
        pass


def test_a_named_pipe_with_both_ends_works(tmp_path):
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)

    def write():
        with atomic_output(pipe) as stream:
            stream.write(b"a line\n")

    writer = threading.Thread(target=write)
    writer.start()
    assert read_whole(pipe) == b"a line\n"
    writer.join()


def test_what_is_held_in_memory_has_a_bound(tmp_path):
    path = str(tmp_path / "many.gz")
    with gzip.open(path, "wb") as stream:
        stream.write(bytes(1 << 20))
    assert len(read_whole(path)) == 1 << 20
    with pytest.raises(HnclipError, match=r"too large; expected at most 1023 bytes"):
        read_whole(path, 1023)
    with pytest.raises(HnclipError, match="too large; expected at most 64 MiB"):
        read_whole("/dev/zero", 1 << 26)


def test_a_folder_for_a_library_holds_nothing_to_wait_for(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "nowhere").symlink_to("none")
    check_no_pipes(str(tmp_path))
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(HnclipError, match="not a file; got a named pipe"):
        check_no_pipes(str(tmp_path))
