"""hnclip among real processes and real pipes: closed readers, full disks, signals, live input."""

import os
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner

from hnclip_cli.cli import cli
from tests.conftest import environment, parse_lines, run_hnclip, to_lines
from tests.factories import make_records

pytestmark = pytest.mark.long
HNCLIP = f"{shlex.quote(sys.executable)} -m hnclip_cli"
CAPTION = b'{"caption":"a black cat on a white sofa"}\n'
RECORDS = to_lines(*({"image": f"{i}.png", "caption": "a", "scores": [[0.1]]} for i in range(2000)))


def bash(script, cwd=None, stdin=b""):
    """Run a bash script in which `hnclip` is this package."""
    return subprocess.run(
        ["bash", "-c", f'set -o pipefail; hnclip() {{ {HNCLIP} "$@"; }}; {script}'],
        input=stdin, capture_output=True, cwd=cwd, env=environment(), timeout=300,
    )  # fmt: skip


def start(*args, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "hnclip_cli", *map(str, args)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
        **options,
    )  # fmt: skip


@pytest.mark.parametrize("count", [1, 5000], ids=["small", "large"])
def test_a_reader_that_goes_away_ends_it_silently_with_141(count):
    process = start("negatives", "--kind", "replace-color")
    process.stdout.close()
    try:
        process.stdin.write(CAPTION * count)
        process.stdin.close()
    except BrokenPipeError:
        pass  # it was gone before it had read everything
    assert process.wait(60) == 141
    assert process.stderr.read() == b""


def test_head_gets_its_lines_and_nothing_is_said(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(CAPTION * 20000)
    done = bash("hnclip negatives --kind replace-color a.jsonl | head -n 2; "
                'echo "${PIPESTATUS[@]}"', tmp_path)  # fmt: skip
    *lines, statuses = done.stdout.splitlines()
    assert len(lines) == 2 and statuses == b"141 0"
    assert done.stderr == b""


def test_a_long_line_that_is_read_in_part_is_no_success_where_python_does_not_buffer(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(to_lines({"caption": "a" * 300_000}))
    done = bash("PYTHONUNBUFFERED=1 hnclip negatives --kind replace-color a.jsonl | head -c 9; "
                'echo " ${PIPESTATUS[@]}"', tmp_path)  # fmt: skip
    assert (done.stdout.split(), done.stderr) == ([b'{"caption', b"141", b"0"], b"")


@pytest.mark.parametrize("flags", ["", "-o /dev/full"])
def test_a_full_disk_is_an_error_not_a_success(flags):
    done = bash(f"hnclip negatives --kind replace-color {flags} > /dev/full", stdin=CAPTION * 3)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"No space left on device" in done.stderr and b"hnclip: " in done.stderr


def test_closed_stdin_and_stdout_are_named():
    done = bash("hnclip negatives <&-")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"standard input is closed" in done.stderr
    done = bash("hnclip negatives >&-", stdin=CAPTION)
    assert done.returncode == 1
    assert b"standard output is closed" in done.stderr


def test_ctrl_c_exits_130_without_a_trace():
    process = start("negatives", "--kind", "replace-color")
    process.stdin.write(CAPTION)
    process.stdin.flush()
    assert process.stdout.readline()  # it is running now
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert b"Traceback" not in process.stderr.read()


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_leaves_nothing_half_written(tmp_path, signum, code):
    process = start("negatives", "--kind", "replace-color", "-o", "out.jsonl", cwd=tmp_path)
    process.stdin.write(CAPTION * 2000)
    process.stdin.flush()
    deadline = time.monotonic() + 60
    while not os.listdir(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signum)
    assert process.wait(60) == code
    assert os.listdir(tmp_path) == []


def test_a_line_in_gives_a_line_out_before_the_end_of_input():
    process = start("negatives", "--kind", "replace-color")
    for _ in range(3):
        process.stdin.write(CAPTION)
        process.stdin.flush()
        assert b'"negatives"' in process.stdout.readline()
    process.stdin.close()
    assert process.stdout.read() == b""
    assert process.wait(60) == 0


def test_score_answers_line_by_line_with_a_batch_size_of_1(tmp_path, tiny_run):
    records = make_records(tmp_path, 3)
    process = start("score", "--model", tiny_run, "--batch-size", 1, "--workers", 0, cwd=tmp_path)
    for record in records:
        process.stdin.write(to_lines(record))
        process.stdin.flush()
        assert b'"scores"' in process.stdout.readline()
    process.stdin.close()
    assert (process.wait(60), process.stderr.read()) == (0, b"")


@pytest.mark.parametrize("command", [["negatives"], ["data", "scenes", "x", "-n", "0"]])
def test_nothing_in_gives_nothing_out(command, tmp_path):
    done = run_hnclip(*command, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_eval_of_nothing_fails():
    done = run_hnclip("eval")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"hnclip: ")


def test_an_array_crosses_a_pipe_into_the_next_command(tmp_path, tiny_run, monkeypatch):
    records = make_records(tmp_path, 4)
    (tmp_path / "r.jsonl").write_bytes(to_lines(*records))
    monkeypatch.chdir(tmp_path)
    for of, name in (("caption", "captions"), ("negatives", "negatives"), ("image", "images")):
        arguments = ["embed", "--of", of, "--model", tiny_run, "r.jsonl", "-o", f"{name}.npy"]
        assert CliRunner().invoke(cli, arguments).exit_code == 0
    script = f"""
        hnclip embed --of image --model {tiny_run} < r.jsonl |
        hnclip score --image-embeddings - --caption-embeddings captions.npy \\
            --negative-embeddings negatives.npy r.jsonl
    """
    done = bash(script, tmp_path)
    assert done.returncode == 0, done.stderr
    from_pipe = parse_lines(done.stdout)
    arguments = ["score", "--image-embeddings", "images.npy", "--caption-embeddings",
                 "captions.npy", "--negative-embeddings", "negatives.npy", "r.jsonl"]  # fmt: skip
    done = CliRunner().invoke(cli, arguments)
    assert parse_lines(done.stdout_bytes) == from_pipe
    images = np.load(tmp_path / "images.npy", allow_pickle=False)
    captions = np.load(tmp_path / "captions.npy", allow_pickle=False)
    negatives = np.load(tmp_path / "negatives.npy", allow_pickle=False)
    assert images.shape == (4, 128) and negatives.shape == (8, 128)
    expected = np.concatenate([captions[:1], negatives[:2]]) @ images[0]
    np.testing.assert_allclose(from_pipe[0]["scores"][0], expected, atol=1e-6)


def test_a_truncated_array_is_an_error_before_anything_is_scored(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.eye(4, dtype=np.float32))
    data = (tmp_path / "a.npy").read_bytes()
    records = to_lines(*({"image": f"{i}", "caption": "a"} for i in range(4)))
    (tmp_path / "r.jsonl").write_bytes(records)
    reading, writing = os.pipe()
    os.write(writing, data[:-20])
    os.close(writing)
    monkeypatch.chdir(tmp_path)
    arguments = ["score", "--image-embeddings", f"/dev/fd/{reading}", "--caption-embeddings"]
    done = CliRunner().invoke(cli, [*arguments, "a.npy", "r.jsonl"])
    os.close(reading)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "the array is truncated; got 2 rows, expected the 4 rows" in done.stderr


def test_what_is_fitted_steers_negatives_and_refine_takes_them_from_the_pipe(tmp_path):
    captions = to_lines(
        *({"id": str(i), "caption": f"a red cat and {i} black dogs on a sofa"} for i in range(30))
    )
    done = bash(
        "tee captions.jsonl | hnclip fit -o fitted.json && "
        "hnclip negatives --fitted fitted.json captions.jsonl | tee negatives.jsonl | "
        "hnclip refine 2> said > refined.jsonl",
        tmp_path,
        captions,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    made, kept = (
        [record["negatives"] for record in parse_lines((tmp_path / name).read_bytes())]
        for name in ("negatives.jsonl", "refined.jsonl")
    )
    assert len(made) == len(kept) == 30 and all(made)
    assert all(item in one for one, other in zip(made, kept, strict=True) for item in other)
    assert (tmp_path / "said").read_text().startswith("hnclip: ")


def test_mine_adds_the_nearest_of_others(tmp_path):
    np.save(tmp_path / "e.npy", np.float32([[1, 0], [0.9, 0.1], [0, 1]]))
    records = [{"image": f"{i}.png", "caption": f"caption {i}"} for i in range(3)]
    done = bash("hnclip mine e.npy -k 1 | cat", tmp_path, to_lines(*records))
    assert (done.returncode, done.stderr) == (0, b"")
    mined = [record["negatives"][0]["caption"] for record in parse_lines(done.stdout)]
    assert mined == ["caption 1", "caption 0", "caption 1"]


def test_search_reads_the_gallery_from_a_pipe(tmp_path):
    np.save(tmp_path / "queries.npy", np.float32([[1, 0], [0, 1]]))
    np.save(tmp_path / "gallery.npy", np.float32([[0, 2], [3, 0], [1, 1]]))
    done = bash("cat gallery.npy | hnclip search -k 1 queries.npy -", tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert [line["top"] for line in parse_lines(done.stdout)] == [[[1, 1.0]], [[0, 1.0]]]


def test_compare_takes_one_run_from_a_pipe(tmp_path):
    pair = {"caption": "a", "negatives": [{"caption": "b", "kind": "replace-noun"}]}
    for name, scores in (("right", [[0.3, 0.1]]), ("wrong", [[0.1, 0.3]])):
        records = ({"id": str(i), "image": f"{i}.png", "scores": scores} | pair for i in range(4))
        (tmp_path / f"{name}.jsonl").write_bytes(to_lines(*records))
    done = bash("cat wrong.jsonl | hnclip compare right.jsonl - --bootstrap 10", tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    (report,) = parse_lines(done.stdout)
    assert report["accuracy"]["pair"]["difference"] == -1.0


def test_plugins_lists_a_file_of_its_own(tmp_path):
    (tmp_path / "mine.py").write_text("KINDS = {'shout': 1}")
    done = bash("hnclip plugins --plugin mine.py | cut -c -33", tmp_path)
    assert done.returncode == 1
    assert done.stdout == b'{"table": "kinds", "name": "shout\n'
