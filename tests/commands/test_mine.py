"""hnclip mine in real processes; its search is tested where it stands."""

import numpy as np
import pytest

from tests.conftest import parse_lines, run_hnclip, to_lines

RECORDS = [
    {"image": f"{i}.png", "caption": f"a {w} cat"} for i, w in enumerate(["big", "red", "old"])
]


def test_the_command_mines_and_says_how_many_got_fewer(tmp_path):
    np.save(tmp_path / "e.npy", np.array([[1, 0], [1, 0.1], [1, 1]], np.float16))
    done = run_hnclip("mine", tmp_path / "e.npy", "-k", 2, stdin=to_lines(*RECORDS))
    assert (done.returncode, done.stderr) == (0, b"")
    records = parse_lines(done.stdout)
    assert [[n["caption"] for n in record["negatives"]] for record in records] == [
        ["a red cat", "a old cat"],
        ["a big cat", "a old cat"],
        ["a red cat", "a big cat"],
    ]
    (tmp_path / "records.jsonl").write_bytes(to_lines(*RECORDS))
    done = run_hnclip(
        "mine", tmp_path / "e.npy", tmp_path / "records.jsonl", "--of", "image", "--margin", 0.1,
        "--shard", "0/2",
    )  # fmt: skip
    assert [record["negative_images"] for record in parse_lines(done.stdout)] == [["2.png"]]
    assert done.stderr == b"hnclip: 1 of 1 records got fewer than 3 images\n"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], b"Missing argument 'NPY'"),
        (["e.npy", "--margin", "-1"], b"-1.0 is not in the range"),
        (["e.npy", "-k", "0"], b"0 is not in the range"),
        (["e.npy", "--same", "1"], b"--same is for --blind-pairs"),
        (["e.npy", "--blind-pairs", "f.npy", "--of", "image"], b"--of does nothing with"),
    ],
)
def test_wrong_usage_is_found_early(args, message):
    done = run_hnclip("mine", *args)
    assert done.returncode == 2
    assert message in done.stderr


def test_blind_pairs_are_found_by_two_arrays(tmp_path):
    np.save(tmp_path / "clip.npy", np.array([[1, 0], [1, 0.1], [1, 1]], np.float32))
    np.save(tmp_path / "dino.npy", np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32))
    arrays = ("--blind-pairs", tmp_path / "clip.npy", tmp_path / "dino.npy")
    done = run_hnclip("mine", *arrays, stdin=to_lines(*RECORDS))
    assert (done.returncode, done.stderr) == (0, b"hnclip: 1 blind pairs among 3 images\n")
    assert [item["images"] for item in parse_lines(done.stdout)] == [["0.png", "1.png"]]
