"""hnclip show, as it is typed."""

import pytest
from click.testing import CliRunner

from hnclip_cli.cli import cli
from tests.conftest import run_hnclip, to_lines
from tests.evaluation.pages.test_document import data_of
from tests.factories import make_records


def hnclip(*args, **options):
    return CliRunner().invoke(cli, ["show", *map(str, args)], **options)


@pytest.fixture
def records(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = make_records(tmp_path / "images", 3)
    (tmp_path / "images" / "records.jsonl").write_bytes(to_lines(*made))
    return made


def test_images_lie_beside_the_input_and_links_lead_there_from_the_page(records, tmp_path):
    done = hnclip("images/records.jsonl", "--link-images", "-o", "page.html")
    assert (done.exit_code, done.output) == (0, "")
    page = (tmp_path / "page.html").read_text()
    assert ">./images/0.png<" in page
    assert "<b>images/records.jsonl</b>" in page
    assert "<title>records.jsonl · Negatives · hnclip</title>" in page


def test_a_pipe_gives_what_a_file_does(records):
    by_file = hnclip("images/records.jsonl", "--image-root", "images").stdout
    done = run_hnclip("show", "--image-root", "images", stdin=to_lines(*records))
    assert (done.returncode, done.stderr) == (0, b"")
    assert data_of(done.stdout.decode()) == data_of(by_file)
    assert done.stdout.count(b"data:image/jpeg") == 3


def test_bad_lines_and_missing_pictures_are_noted(records):
    bad = to_lines(*records, {**records[0], "image": "gone.png"}) + b"{\n"
    done = hnclip("--image-root", "images", "--on-error", "skip", input=bad)
    assert done.exit_code == 3
    assert "1 picture left out: -:4: image not found" in done.stderr
    assert len(data_of(done.stdout)["cards"]) == 4


def test_several_logs_are_one_page(records, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_bytes(to_lines({"step": 1, "loss": 0.5}))
    page = hnclip("a.jsonl", "b.jsonl").stdout
    assert [run["name"] for run in data_of(page)["runs"]] == ["a.jsonl", "b.jsonl"]


def test_what_is_nothing_to_show_is_told(records):
    done = hnclip(input=b'{"x": 1}\n')
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("hnclip: -:1: nothing that a page shows; got the fields x")
