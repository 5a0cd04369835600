import numpy as np
import pytest
from click.testing import CliRunner

from hnclip_cli.cli import cli
from tests.conftest import parse_lines, to_lines
from tests.factories import make_records


@pytest.fixture
def records(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return make_records(tmp_path, 3)


def hnclip(*args, **options):
    return CliRunner().invoke(cli, list(map(str, args)), **options)


@pytest.fixture
def arrays(records):
    rng = np.random.default_rng(0)
    for name in ("image", "caption"):
        np.save(f"{name}.npy", rng.standard_normal((3, 4)).astype(np.float32))
    return ["caption.npy", "image.npy"]


@pytest.mark.parametrize("direction", ["text-to-image", "image-to-text"])
def test_it_finds_the_nearest_rows_with_and_without_records(arrays, records, direction):
    images, captions = (np.load(f"{name}.npy") for name in ("image", "caption"))
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (captions, images)]
    one, other = unit if direction == "text-to-image" else unit[::-1]
    expected = np.argsort(-(one @ other.T), axis=1)[:, :2].tolist()
    files = arrays if direction == "text-to-image" else arrays[::-1]
    options = ("search", "-k", 2, "--direction", direction, *files)
    alone = hnclip(*options)
    beside = hnclip(*options, "--records", "-", input=to_lines(*records))
    assert alone.exit_code == beside.exit_code == 0
    assert alone.stderr == beside.stderr == ""
    for row, hit in enumerate(parse_lines(alone.stdout_bytes)):
        assert list(hit) == ["query", "top"]
        assert hit["query"] == row
        assert [index for index, _ in hit["top"]] == expected[row]
    for row, record in enumerate(parse_lines(beside.stdout_bytes)):
        found = record.pop("top_ids")
        assert found == [f"r{index}" for index in expected[row]]
        assert [record.pop("query"), record.pop("top")[0][0]] == [row, expected[row][0]]
        assert record == records[row]


def test_it_names_bad_rows_and_counts_them(arrays):
    rows = np.load("image.npy")
    rows[1, 0] = np.nan
    np.save("image.npy", rows)
    failed = hnclip("search", "-k", 1, *arrays)
    assert failed.exit_code == 1
    assert failed.stderr.startswith("hnclip: image.npy: row 1: the embedding is not finite; ")
    skipped = hnclip("search", "-k", 1, "--on-error", "skip", *arrays)
    assert skipped.exit_code == 3
    assert 1 not in [hit["top"][0][0] for hit in parse_lines(skipped.stdout_bytes)]


def test_shards_joined_are_the_whole(arrays, records):
    whole = hnclip("search", *arrays).stdout_bytes
    parts = [hnclip("search", *arrays, "--shard", f"{i}/2").stdout_bytes for i in range(2)]
    assert b"".join(parts) == whole
    beside = hnclip("search", *arrays, "--shard", "1/2", "--records", "-", input=to_lines(*records))
    assert [record["id"] for record in parse_lines(beside.stdout_bytes)] == ["r1", "r2"]


@pytest.mark.parametrize(
    "arguments",
    [["a.npy"], ["-", "-"], ["-", "a.npy", "--records", "-"], ["a.npy", "a.npy", "-k", 0]],
    ids=lambda arguments: " ".join(map(str, arguments)),
)
def test_wrong_usage(arguments):
    result = hnclip("search", *arguments, input="")
    assert result.exit_code == 2
    assert "Error: " in result.stderr
