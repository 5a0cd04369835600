"""An array made over several runs has the bytes of one run, or is refused."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from click.testing import CliRunner

from hnclip_cli.cli import cli
from hnclip_cli.embedding import partial
from hnclip_cli.embedding.embed import embed_blocks
from hnclip_cli.embedding.partial import partial_array
from hnclip_cli.errors import HnclipError
from hnclip_cli.models.encoder import Encoder
from hnclip_cli.models.load import load_clip
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from tests.conftest import ROOT, environment, to_lines
from tests.factories import make_records

pytestmark = pytest.mark.long
SETTINGS = {"--of": "caption", "--batch-size": 4}


@pytest.fixture(scope="module")
def clip(tiny_run):
    return load_clip(tiny_run, device="cpu")


@pytest.fixture(autouse=True)
def every_block_is_made_sure_of(monkeypatch):
    monkeypatch.setattr(partial, "COMMIT_SECONDS", 0.0)


class Killed(BaseException):
    """Ends a run without any of its handling of errors."""


def run(clip, data, path, of="caption", dtype="float32", settings=SETTINGS, **options):
    """One run; with ``blocks`` it is ended after so many."""
    resume, limit = options.get("resume", False), options.get("blocks")
    policy = ErrorPolicy(options.get("on_error", "fail"))
    reader = RecordReader(io.BytesIO(data), "x.jsonl", policy)
    with partial_array(str(path), clip.embed_dim, dtype, settings, resume=resume) as array:
        encoder = Encoder(
            clip, batch_size=4, image_root=str(path.parent), workers=options.get("workers", 0)
        )
        blocks = embed_blocks(reader, of, encoder, policy=policy, kept=array)
        for number, (rows, digest) in enumerate(blocks):
            if number == limit:
                raise Killed
            array.write(rows, digest)
    return policy


def captions(count=60):
    words = ["a cat", "a dog", "two cats", "the old cat"]
    return [{"caption": f"{words[i % 4]} number {i % 37}"} for i in range(count)]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("blocks", range(4))
def test_an_ended_run_goes_on_to_the_same_bytes(clip, tmp_path, dtype, blocks):
    data = to_lines(*captions())
    run(clip, data, tmp_path / "whole.npy", dtype=dtype)
    path = tmp_path / "a.npy"
    with pytest.raises(Killed):
        run(clip, data, path, dtype=dtype, blocks=blocks)
    assert not path.exists()
    run(clip, data, path, dtype=dtype, resume=True)
    assert path.read_bytes() == (tmp_path / "whole.npy").read_bytes()
    assert names(tmp_path) == ["a.npy", "whole.npy"]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("of", ["image", "negatives"])
def test_images_and_negatives_go_on_with_their_gaps(clip, tmp_path, of, workers):
    records = make_records(tmp_path, 6)
    (tmp_path / "bad.png").write_bytes(b"no image")
    records[1]["image"] = "bad.png"
    lines = to_lines(*records, records[1], *records, *make_records(tmp_path, 12)[6:])
    lines = lines.splitlines(keepends=True)
    lines.insert(3, b"{broken\n")
    data = b"".join(lines) + b"{broken\n"
    whole = run(clip, data, tmp_path / "whole.npy", of, on_error="skip")
    path = tmp_path / "a.npy"
    with pytest.raises(Killed):
        run(clip, data, path, of, on_error="skip", blocks=1)
    kept = json.loads((tmp_path / "a.npy.partial.json").read_text())["rows"]
    assert 4 <= kept < len(np.load(tmp_path / "whole.npy"))
    policy = run(clip, data, path, of, on_error="skip", resume=True, workers=workers)
    assert path.read_bytes() == (tmp_path / "whole.npy").read_bytes()
    assert policy.num_skipped == whole.num_skipped


def test_kept_rows_are_not_computed_again(clip, tmp_path, monkeypatch):
    data, path = to_lines(*captions()), tmp_path / "a.npy"
    with pytest.raises(Killed):
        run(clip, data, path, blocks=3)
    seen = []
    original = clip.encode_captions
    monkeypatch.setattr(
        clip, "encode_captions", lambda texts: (seen.extend(texts), original(texts))[1]
    )
    run(clip, data, path, resume=True)
    distinct = {record["caption"] for record in captions()}
    assert 0 < len(seen) == len(distinct) - 4 - 8 - 16


def test_rows_behind_the_last_note_are_thrown_away(clip, tmp_path):
    data, path = to_lines(*captions()), tmp_path / "a.npy"
    run(clip, data, tmp_path / "whole.npy")
    with pytest.raises(Killed):
        run(clip, data, path, blocks=2)
    with open(tmp_path / "a.npy.partial", "ab") as stream:
        stream.write(b"torn" * 999)
    run(clip, data, path, resume=True)
    assert path.read_bytes() == (tmp_path / "whole.npy").read_bytes()


def test_without_resume_a_run_starts_over(clip, tmp_path):
    data, path = to_lines(*captions()), tmp_path / "a.npy"
    with pytest.raises(Killed):
        run(clip, data, path, blocks=2)
    run(clip, to_lines({"caption": "other"}), path)
    assert np.load(path).shape == (1, 128)
    assert names(tmp_path) == ["a.npy"]


def test_with_nothing_left_resume_starts(clip, tmp_path):
    run(clip, to_lines(*captions(3)), tmp_path / "a.npy", resume=True)
    assert np.load(tmp_path / "a.npy").shape == (3, 128)


@pytest.mark.parametrize(
    "other",
    [
        to_lines({"caption": "changed"}, *captions()[1:]),
        to_lines(*captions()[1:]),
        to_lines(*captions(20)),
        to_lines(*captions(7)),
        b"",
    ],
    ids=["changed", "shifted", "ends in the middle", "ends before", "empty"],
)
def test_other_input_is_refused_and_nothing_lost(clip, tmp_path, other):
    data, path = to_lines(*captions()), tmp_path / "a.npy"
    with pytest.raises(Killed):
        run(clip, data, path, blocks=3)
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    with pytest.raises(HnclipError, match="other records"):
        run(clip, other, path, resume=True)
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == before


def test_other_settings_are_refused(clip, tmp_path):
    data, path = to_lines(*captions()), tmp_path / "a.npy"
    with pytest.raises(Killed):
        run(clip, data, path, blocks=2)
    with pytest.raises(HnclipError, match="another --batch-size; got 5, expected 4; try the same"):
        run(clip, data, path, settings=SETTINGS | {"--batch-size": 5}, resume=True)
    run(clip, data, path, resume=True)


@pytest.fixture
def left(tmp_path):
    """What a run has left: 3 rows of 2 numbers, and the note."""
    with pytest.raises(Killed), partial_array(str(tmp_path / "a.npy"), 2, "float32", {"a": 1},
                                              resume=False) as array:  # fmt: skip
        array.write(np.arange(6.0).reshape(3, 2), "digest")
        raise Killed
    return tmp_path / "a.npy.partial"


def resumed(partial):
    """The rows that a run with --resume would take; each refusal says what to do and stays."""
    before = partial.read_bytes()
    path = str(partial).removesuffix(".partial")
    rows = []
    try:
        with partial_array(path, 2, "float32", {"a": 1}, resume=True) as array:
            rows = array.read(array.num_rows).tolist()
            raise Killed
    except Killed:
        return rows
    except HnclipError as error:
        assert "; try " in str(error) or "a named pipe" in str(error)
        assert partial.read_bytes() == before
        raise


def test_rows_that_were_not_touched_are_taken(left):
    assert resumed(left) == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize("note", [
    b"", b"{", b"[]", b"5", b"null", b"[" * 99_999, b"\xff", b'{"checksum": 0}',
    b'{"settings": {}, "rows": -1, "digest": ""}', b'{"rows": 1' + b"0" * 5000 + b"}",
])  # fmt: skip
def test_a_damaged_note_is_refused(left, note):
    left.with_suffix(".partial.json").write_bytes(note)
    with pytest.raises(HnclipError, match="damaged note"):
        resumed(left)


def test_an_edited_note_is_refused_at_every_byte(left):
    note = left.with_suffix(".partial.json")
    data = note.read_bytes()
    for place in range(len(data) - 1):  # the last is the end of the line
        note.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(HnclipError, match="damaged note"):
            resumed(left)
        note.write_bytes(data[:place])
        with pytest.raises(HnclipError, match="damaged note"):
            resumed(left)


@pytest.mark.parametrize("rows", [0, -1, 10**30, 2.0, None, "3"])
def test_counts_that_no_note_has_are_refused_with_a_right_checksum_too(left, rows):
    note = json.loads(left.with_suffix(".partial.json").read_bytes())
    del note["checksum"]
    note["rows"] = rows
    note["checksum"] = zlib.crc32(json.dumps(note).encode())
    left.with_suffix(".partial.json").write_text(json.dumps(note))
    with pytest.raises(HnclipError, match=r"damaged note|lost rows"):
        resumed(left)


@pytest.mark.parametrize("place", [0, 11, 23])
def test_changed_rows_are_noticed(left, place):
    data = bytearray(left.read_bytes())
    data[place - 24] ^= 1
    left.write_bytes(data)
    with pytest.raises(HnclipError, match="other rows than were written"):
        resumed(left)


def test_rows_of_another_file_are_noticed(left):
    left.write_bytes(b"\0" * 10_000)
    with pytest.raises(HnclipError, match="other rows than were written"):
        resumed(left)


def test_a_pipe_for_a_note_is_not_waited_for(left):
    note = left.with_suffix(".partial.json")
    note.unlink()
    os.mkfifo(note)
    with pytest.raises(HnclipError, match="not a file"):
        resumed(left)


def test_lost_rows_are_noticed(clip, tmp_path):
    data, path = to_lines(*captions()), tmp_path / "a.npy"
    with pytest.raises(Killed):
        run(clip, data, path, blocks=2)
    os.truncate(tmp_path / "a.npy.partial", 1000)
    with pytest.raises(HnclipError, match="lost rows"):
        run(clip, data, path, resume=True)


@pytest.mark.parametrize("resume", [False, True])
def test_a_failed_run_leaves_something_only_for_resume(clip, tmp_path, resume):
    data = to_lines(*captions()) + b"{broken\n"
    with pytest.raises(HnclipError, match="broken JSON"):
        run(clip, data, tmp_path / "a.npy", resume=resume)
    assert names(tmp_path) == (["a.npy.partial", "a.npy.partial.json"] if resume else [])
    if resume:
        run(clip, to_lines(*captions()), tmp_path / "a.npy", resume=True)


def test_two_runs_do_not_write_one_file(clip, tmp_path):
    path = str(tmp_path / "a.npy")
    with (
        partial_array(path, 2, "float32", {}, resume=False),
        pytest.raises(HnclipError, match="another process is writing it"),
        partial_array(path, 2, "float32", {}, resume=False),
    ):
        pass


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with (
        pytest.raises(HnclipError, match=r"none/a\.npy: cannot write it"),
        partial_array(str(tmp_path / "none" / "a.npy"), 2, "float32", {}, resume=False),
    ):
        pass


@pytest.mark.parametrize("output", [[], ["-o", "-"], ["-o", "/dev/null"]], ids=str)
def test_resume_wants_a_plain_file(tiny_run, output):
    arguments = ["embed", "--of", "caption", "--model", tiny_run, "--resume", *output]
    result = CliRunner().invoke(cli, arguments, input=b"")
    assert result.exit_code == 2
    assert "--resume needs -o FILE" in result.stderr


def test_other_weights_are_refused(clip, tiny_run, tmp_path):
    first = load_clip(tiny_run, device="cpu").settings()
    assert clip.settings() == first
    other = load_clip("hnclip-tiny", device="cpu", seed=2).settings()
    assert {name for name in first if first[name] != other[name]} == {"model"}


def test_kill_9_twice_then_resume_gives_the_same_bytes(tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [to_lines({"caption": f"caption number {number}"}) for number in range(600)]
    (tmp_path / "c.jsonl").write_bytes(b"".join(lines))
    command = ["embed", "--of", "caption", "--model", tiny_run, "--batch-size", "8"]
    note = tmp_path / "a.npy.partial.json"
    for num_lines in (100, 500):
        before = note.read_bytes() if note.exists() else b""
        process = subprocess.Popen(
            [sys.executable, "-m", "hnclip_cli", *command, "-o", "a.npy", "--resume"],
            stdin=subprocess.PIPE, env=environment() | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        # The pipe stays open, so that the run cannot end before it is killed.
        process.stdin.write(b"".join(lines[:num_lines]))
        process.stdin.flush()
        while not note.exists() or note.read_bytes() == before:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.stdin.close()
        process.wait()
        assert not (tmp_path / "a.npy").exists()
    for arguments in (["whole.npy"], ["a.npy", "--resume"]):
        result = CliRunner().invoke(cli, [*command, "c.jsonl", "-o", *arguments])
        assert result.exit_code == 0, result.stderr
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
    assert names(tmp_path) == ["a.npy", "c.jsonl", "whole.npy"]


@pytest.mark.parametrize("name", ["a.npy.partial", "a.npy.partial.json"])
@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("is_link", [False, True])
def test_a_file_of_somebody_else_is_not_touched(clip, tmp_path, name, resume, is_link):
    dear = tmp_path / ("dear" if is_link else name)
    dear.write_bytes(b"dear to me")
    if is_link:
        (tmp_path / name).symlink_to("dear")
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(HnclipError):
        run(clip, to_lines(*captions()), tmp_path / "a.npy", resume=resume)
    assert dear.read_bytes() == b"dear to me"
    assert sorted(os.listdir(tmp_path)) == before


def test_an_array_of_somebody_else_is_not_touched(clip, tmp_path):
    path = tmp_path / "a.npy.partial"
    with path.open("wb") as stream:
        np.save(stream, np.ones((3, 4), np.float32))
    before = path.read_bytes()
    with pytest.raises(HnclipError, match="this file is in the way"):
        run(clip, to_lines(*captions()), tmp_path / "a.npy")
    assert path.read_bytes() == before
