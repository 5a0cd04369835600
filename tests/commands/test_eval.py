"""hnclip eval, as it is typed."""

import io
import subprocess
import sys

import numpy as np
import orjson
import pytest
from click.testing import CliRunner

from hnclip_cli import console
from hnclip_cli.cli import cli
from tests.conftest import run_hnclip, to_lines


def run(*args, stdin=b""):
    return CliRunner().invoke(cli, ["eval", *map(str, args)], input=stdin)


def item(*scores, **fields):
    negatives = [{"caption": f"negative {i}", "kind": "swap-noun"} for i in range(len(scores) - 1)]
    base = {"image": "a.jpg", "caption": "a cat", "negatives": negatives, "scores": [scores]}
    return {**base, **fields}


def npy(rows):
    stream = io.BytesIO()
    np.save(stream, np.asarray(rows, dtype=np.float32))
    return stream.getvalue()


@pytest.fixture
def pairs(tmp_path):
    """Two records without scores, and embeddings in which each finds the other."""
    records = tmp_path / "pairs.jsonl"
    records.write_bytes(
        to_lines({"image": "a.jpg", "caption": "a"}, {"image": "b.jpg", "caption": "b"})
    )
    (tmp_path / "images.npy").write_bytes(npy(np.eye(2)))
    (tmp_path / "captions.npy").write_bytes(npy(np.eye(2)))
    return tmp_path


def test_one_line_of_json_comes_out():
    result = run(stdin=to_lines(item(0.5, 0.25), item(0.25, 0.5, image="b.jpg")))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.count("\n") == 1
    report = orjson.loads(result.stdout)
    assert report["accuracy"]["item"]["value"] == 0.5
    assert list(report) == [
        "run",
        "records",
        "skipped",
        "unmeasured",
        "accuracy",
        "by",
        "bootstrap",
        "ties",
    ]


def test_a_table_comes_on_demand_and_on_a_terminal_only(monkeypatch, tmp_path):
    lines = to_lines(item(0.5, 0.25))
    table = run("--format", "table", stdin=lines).stdout
    assert table.startswith("1 record\n")
    monkeypatch.setattr(console, "wants_table", lambda: True)
    assert run(stdin=lines).stdout == table
    assert run("--format", "json", stdin=lines).stdout.startswith('{"run":{')
    assert run("-o", tmp_path / "report.json", stdin=lines).stdout == ""
    assert orjson.loads((tmp_path / "report.json").read_bytes())["records"] == 1


def test_the_seed_decides_the_intervals_and_nothing_else():
    lines = to_lines(*[item(i % 3, 1, image=f"{i}.jpg") for i in range(20)])
    first, again, other = (run("--seed", seed, stdin=lines).stdout for seed in (0, 0, 1))
    assert first == again != other
    reports = [orjson.loads(text) for text in (first, other)]
    values = [report["accuracy"]["item"].pop("value") for report in reports]
    assert values[0] == values[1]
    none = orjson.loads(run("--bootstrap", 0, stdin=lines).stdout)
    assert none["accuracy"]["item"]["interval"] is None


def test_by_replaces_the_default_fields_and_an_unknown_one_is_noted():
    lines = to_lines(item(1, 0, tags=["x", "y"], subset="s"))
    result = run("--by", "tags", "--by", "nonsense", stdin=lines)
    assert list(orjson.loads(result.stdout)["by"]) == ["tags"]
    assert result.stderr == (
        "hnclip: no measured record has a field 'nonsense': no section for it\n"
    )


@pytest.mark.parametrize(
    ("stdin", "message"),
    [
        (b"", "hnclip: -: nothing to measure; got 0 records"),
        (
            to_lines(item(0.5)),
            "hnclip: -: nothing to measure; got 1 record, 1 with nothing to compare",
        ),
        (to_lines({"image": "a", "caption": "b"}), 'hnclip: -:1: missing field "scores"; got the'),
        (to_lines(item(1, 0)) + b'{"scores": NaN}', "hnclip: -:2: broken JSON"),
        (to_lines(item(1, 0), item(1, None)), "hnclip: -:2: a score is not a finite number; got"),
        (to_lines(item(1, 0) | {"scores": [[1]]}), 'hnclip: -:1: field "scores" has the wrong'),
        (b"\xff\n", "hnclip: -:1: invalid UTF-8"),
        (b"[]\n", "hnclip: -:1: not a record"),
    ],
)
def test_bad_input_fails_with_one_line_and_no_report(stdin, message):
    result = run(stdin=stdin)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith(message)
    assert result.stderr.count("\n") == 1


def test_bad_records_can_be_skipped():
    lines = to_lines(item(1, 0), item(1, None), {"image": "a"}) + b"broken\n"
    result = run("--on-error", "skip", stdin=lines)
    assert result.exit_code == 3
    assert orjson.loads(result.stdout)["skipped"] == 3
    assert result.stderr.endswith("hnclip: skipped 3 bad records\n")


def test_a_failed_run_leaves_the_old_report_alone(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old")
    assert run("-o", path, stdin=b"broken\n").exit_code == 1
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_retrieval_from_files(pairs):
    result = run(
        pairs / "pairs.jsonl",
        "--embeddings",
        pairs / "images.npy",
        pairs / "captions.npy",
    )
    report = orjson.loads(result.stdout)
    assert report["retrieval"]["image_to_text"]["R@1"] == 1.0
    assert report["retrieval"]["text_to_image"]["n"] == 2


def test_one_array_can_come_through_a_pipe(pairs):
    result = run_hnclip(
        "eval",
        pairs / "pairs.jsonl",
        "--embeddings",
        pairs / "images.npy",
        "-",
        stdin=npy(np.eye(2)),
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert orjson.loads(result.stdout)["retrieval"]["image_to_text"]["R@1"] == 1.0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.ones((3, 2)), "captions.npy: the array does not belong to the records; got 3 rows"),
        (np.ones((1, 2)), "captions.npy: the array has too few rows for the records"),
        (np.eye(2) * np.nan, 'pairs.jsonl:1: record "'),
    ],
)
def test_embeddings_that_do_not_fit_fail(pairs, rows, message):
    (pairs / "captions.npy").write_bytes(npy(rows))
    result = run(
        pairs / "pairs.jsonl",
        "--embeddings",
        pairs / "images.npy",
        pairs / "captions.npy",
    )
    assert result.exit_code == 1
    assert result.stderr.startswith(f"hnclip: {pairs / message}")


@pytest.mark.parametrize(
    "args",
    [
        ["--embeddings", "i.npy"],
        ["--embeddings", "-", "c.npy"],
        ["in.jsonl", "--embeddings", "-", "-"],
        ["--bootstrap", "-1"],
        ["--format", "html"],
        ["--html", "-"],
        ["--html", "x", "-o", "x"],
        ["--on-error", "ignore"],
    ],
)
def test_wrong_usage_exits_with_2(args):
    result = run(*args)
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("name", ["in.jsonl", "i.npy"])
def test_a_missing_file_is_named(name, tmp_path):
    (tmp_path / "in.jsonl").write_bytes(to_lines(item(1, 0)))
    path = tmp_path / "missing" / name
    files = {"in.jsonl": tmp_path / "in.jsonl", "i.npy": tmp_path / "i.npy", name: path}
    result = run(files["in.jsonl"], "--embeddings", files["i.npy"], files["i.npy"])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"hnclip: {path}: cannot read it: ")


def test_no_model_library_is_loaded():
    script = (
        "import sys; from click.testing import CliRunner; from hnclip_cli.cli import cli;"
        "CliRunner().invoke(cli, ['eval'], input=b'{}');"
        "print([m for m in ('torch', 'spacy', 'PIL', 'open_clip') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (result.stdout, result.returncode) == ("[]\n", 0)


def test_a_model_that_prefers_longer_captions_on_real_negatives(real_data):
    records = []
    for path in sorted((real_data / "benchmarks" / "sugarcrepe").glob("*.json")):
        for case in orjson.loads(path.read_bytes()).values():
            captions = [case["caption"], case["negative_caption"]]
            scores = [len(caption) for caption in captions]
            negatives = [{"caption": captions[1], "kind": path.stem}]
            fields = {"image": case["filename"], "caption": captions[0], "subset": path.stem}
            records.append({**fields, "negatives": negatives, "scores": [scores]})
    report = orjson.loads(run("--by", "subset", stdin=to_lines(*records)).stdout)
    # Negatives that add words are longer, so such a model gets every one of them wrong.
    for subset in ("add_att", "add_obj"):
        assert report["by"]["subset"][subset]["item"]["value"] < 0.05
    assert report["averages"]["(no benchmark)"]["item"]["macro over subsets"]["num_subsets"] == 7
    tied = sum(record["scores"][0][0] == record["scores"][0][1] for record in records)
    assert report["accuracy"]["pair"]["num_ties"] == tied > 0


def test_text_alone_stands_beside_each_accuracy():
    lines = to_lines(*[item(1, 0, image=f"{i}.jpg") for i in range(10)])
    report = orjson.loads(run("--blind", stdin=lines).stdout)
    assert report["accuracy"]["pair"]["blind"].keys() == {"value", "interval", "num_ties"}
    table = run("--blind", "--format", "table", stdin=lines).stdout
    assert "blind: trigrams trained on 10 true captions, no image; a tie is half right." in table


def test_a_language_model_that_is_not_there_fails_with_one_line(tmp_path):
    pytest.importorskip("transformers", reason="hnclip[lm] is not installed")
    result = run("--blind-model", tmp_path / "none", stdin=to_lines(item(1, 0)))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"hnclip: {tmp_path / 'none'}: model cannot be loaded")
    assert result.stderr.count("\n") == 1


def test_parts_named_in_a_file_are_left_out_of_official_means(tmp_path):
    (tmp_path / "symmetric.txt").write_text("near\n\n  by \n")
    lines = to_lines(*[
        item(right, 0.5, image=name, benchmark="aro-vg-relation", tags={"relation": name})
        for name, right in (("on", 1), ("near", 0), ("by", 0))
    ])  # fmt: skip
    report = orjson.loads(run("--without", tmp_path / "symmetric.txt", stdin=lines).stdout)
    official = report["benchmarks"]["aro-vg-relation"]
    assert official["accuracy, mean of 1 relations"]["value"] == 1.0
    assert official["accuracy, micro"]["n"] == 3


def test_a_page_is_written_beside_the_report(tmp_path):
    page = tmp_path / "report.html"
    result = run("--html", page, stdin=to_lines(item(0, 1)))
    assert orjson.loads(result.stdout)["records"] == 1
    assert result.stderr.startswith("hnclip: 1 picture left out: -:1: image not found")
    assert '"id":' in page.read_text()


def test_a_failed_run_writes_no_page(tmp_path):
    assert run("--html", tmp_path / "report.html", stdin=b"broken\n").exit_code == 1
    assert list(tmp_path.iterdir()) == []
