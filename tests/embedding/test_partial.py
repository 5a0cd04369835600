"""An array made over several runs has the bytes of one run, or is refused."""

import io
import json
import os
import signal
import subprocess
import sys
import time

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


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b'{"settings": {}, "rows": -1, "digest": ""}'])
def test_a_damaged_note_is_refused(clip, tmp_path, note):
    data, path = to_lines(*captions()), tmp_path / "a.npy"
    with pytest.raises(Killed):
        run(clip, data, path, blocks=2)
    (tmp_path / "a.npy.partial.json").write_bytes(note)
    with pytest.raises(HnclipError, match="damaged note"):
        run(clip, data, path, resume=True)


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
