"""hnclip data inpaint and generate, from records to a report."""

import io

import pytest
from click.testing import CliRunner

from hnclip_cli.cli import cli
from tests.conftest import parse_lines, to_lines
from tests.factories import make_records
from tests.models import tiny_pipeline

BOX = {"box": [5, 5, 30, 30]}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    pytest.importorskip("diffusers", reason="pip install 'hnclip[inpaint]'")
    return tiny_pipeline.save(tmp_path_factory.mktemp("pipeline"))


@pytest.fixture
def records(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = make_records(tmp_path / "photographs", 3)
    for record in made:
        record["image"] = f"photographs/{record['image']}"
        record["negatives"][0] |= BOX
    return made


def run(*args, stdin=b""):
    return CliRunner().invoke(cli, [*map(str, args)], input=io.BytesIO(stdin))


def paint(command, model, records, *args, folder="out"):
    flags = ("--model", model, "--steps", 1, "--device", "cpu")
    return run("data", command, folder, *flags, *args, stdin=to_lines(*records))


@pytest.mark.parametrize(
    ("command", "images", "without"), [("inpaint", 3, "3 without a mask"), ("generate", 6, "")]
)
def test_images_are_made_once_scored_and_evaluated(
    command, images, without, model, records, tiny_run
):
    done = paint(command, model, records, "--items", "items.jsonl")
    assert done.exit_code == 0, done.stderr
    assert done.stderr.startswith(f"hnclip: {images} images made, 0 were there\n")
    assert without in done.stderr
    made = parse_lines(done.stdout_bytes)
    assert [record["id"] for record in made] == ["r0", "r1", "r2"]
    assert sum(len(record["negative_images"]) for record in made) == images
    again = paint(command, model, records, "--items", "items.jsonl")
    assert again.stdout_bytes == done.stdout_bytes
    assert again.stderr.startswith(f"hnclip: 0 images made, {images} were there\n")
    scored = run("score", "items.jsonl", "--model", tiny_run)
    assert scored.exit_code == 0, scored.stderr
    report = run("eval", "--format", "json", stdin=scored.stdout_bytes)
    assert f'"{command}"' in report.stdout and '"color"' in report.stdout


def test_shards_make_the_files_of_the_whole(model, records, tmp_path):
    whole = paint("inpaint", model, records, folder="whole")
    parts = [
        paint("inpaint", model, records, "--shard", f"{index}/2", folder="parts")
        for index in range(2)
    ]
    lines = b"".join(part.stdout_bytes for part in parts)
    assert lines.replace(b"parts/", b"whole/") == whole.stdout_bytes
    files = [
        {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()}
        for folder in ("whole", "parts")
    ]
    assert files[0] == files[1] and len(files[0]) == 3


def test_paths_start_where_those_of_the_input_do(model, records, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "photographs").rename(tmp_path / "in" / "photographs")
    (tmp_path / "in" / "r.jsonl").write_bytes(to_lines(*records))
    done = run(
        "data", "inpaint", "out", "in/r.jsonl", "--model", model, "--steps", 1, "--device", "cpu"
    )
    image = parse_lines(done.stdout_bytes)[0]["negative_images"][0]
    assert image.startswith("../out/") and (tmp_path / "in" / image).is_file()


def test_a_bad_record_is_skipped_and_counted(model, records):
    records[1]["negatives"][0]["box"] = [900, 900, 5, 5]
    done = paint("inpaint", model, records, "--on-error", "skip")
    assert done.exit_code == 3
    assert [record["id"] for record in parse_lines(done.stdout_bytes)] == ["r0", "r2"]
    assert "skipped: -:2: a region lies outside of its image" in done.stderr
