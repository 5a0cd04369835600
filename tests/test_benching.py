"""Several models over the benchmarks of one folder, as it is typed."""

import json
import sqlite3
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from PIL import Image

from hnclip_cli.cli import cli
from hnclip_cli.models.encoder import Encoder
from tests.conftest import parse_lines

ITEM = {"filename": "1.png", "caption": "a red cup", "negative_caption": "a blue cup"}


def run(*args):
    return CliRunner().invoke(cli, list(map(str, args)))


@pytest.fixture
def benchmarks(tmp_path):
    """Two benchmarks on one image, one that is broken, and one whose image is missing."""
    folder = tmp_path / "benchmarks"
    images = folder / "images/coco/val2017"
    images.mkdir(parents=True)
    Image.effect_noise((8, 8), 90).save(images / "1.png")
    files = {
        "sugarcrepe/replace_att.json": {"0": ITEM},
        "sugarcrepe-pp/replace_att.json": [ITEM | {"id": 0, "caption2": "a cup that is red"}],
        "winoground/examples.jsonl": "broken",
        "valse/plurals.json": {},
    }
    for name, content in files.items():
        (folder / name).parent.mkdir()
        (folder / name).write_text(json.dumps(content))
    return folder


def test_models_go_from_official_files_to_one_table(benchmarks, tiny_run, tmp_path, monkeypatch):
    for name in "ab":
        (tmp_path / name).symlink_to(tiny_run)
    monkeypatch.chdir(tmp_path)
    command = ["bench", benchmarks, "--model", "a/", "--model", "b", "-o", "out", "--workers", 0]
    done = run(*command)
    assert done.exit_code == 3, done.output
    for name in ("winoground", "valse", "sugarcrepe"):  # broken, or not all of its items
        assert f"hnclip: {name}: " in done.stderr
    scored = [parse_lines((tmp_path / f"out/{name}.jsonl").read_bytes()) for name in "ab"]
    assert [record["benchmark"] for record in scored[0]] == ["sugarcrepe", "sugarcrepe-pp"]
    assert [record["run"]["model"] for record in scored[1]] == ["b", "b"]
    table = orjson.loads((tmp_path / "out/table.json").read_bytes())
    report = orjson.loads((tmp_path / "out/a.json").read_bytes())
    number = next(n for n in table["numbers"] if n["key"] == "sugarcrepe.mean_of_forms.accuracy")
    official = report["benchmarks"]["sugarcrepe"]["accuracy, mean of 1 forms"]
    assert number["models"][0]["mean"] == official["value"]
    for ending in ("txt", "md", "tex", "csv", "html"):
        assert "mean of 1 forms" in (tmp_path / f"out/table.{ending}").read_text()
    # One image and four captions, which models of the same weights share.
    rows = sqlite3.connect(tmp_path / "out/embeddings.sqlite").execute("SELECT * FROM rows")
    assert len(rows.fetchall()) == 1 + 3

    before = (tmp_path / "out/a.jsonl").read_bytes()
    monkeypatch.setattr(Encoder, "encode", lambda encoder, items: check_nothing_is_new(items))
    assert run(*command).exit_code == 3
    assert (tmp_path / "out/a.jsonl").read_bytes() == before


def test_retrieval_stands_in_the_table_as_eval_finds_it(tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entries = []
    for number in range(6):
        image = Path(f"all/images/coco/{number}.png")
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((8, 8), 20 + 30 * number).save(image)
        captions = [f"a {color} cup {number}" for color in ("red", "blue")]
        entries.append({"image": image.name, "caption": captions})
    Path("all/coco-retrieval").mkdir()
    Path("all/coco-retrieval/coco_karpathy_test.json").write_text(json.dumps(entries))
    for name in "ab":
        (tmp_path / name).symlink_to(tiny_run)
    assert run("bench", "all", "--model", "a", "--model", "b", "--workers", 0).exit_code == 3
    records = parse_lines(Path("bench/a.jsonl").read_bytes())
    assert [len(record["ranks"].get("image_to_text", [])) for record in records] == 6 * [2, 0]
    assert [len(record["ranks"]["text_to_image"]) for record in records] == [1] * 12

    run("data", "benchmark", "coco-retrieval", "all", "-o", "records.jsonl")
    for of in ("image", "caption"):
        run("embed", "records.jsonl", "--of", of, "--model", "a", "-o", f"{of}.npy")
    plain = run("eval", "records.jsonl", "--embeddings", "image.npy", "caption.npy")
    expected = orjson.loads(plain.stdout_bytes)["benchmarks"]["coco-retrieval"]
    report = orjson.loads(Path("bench/a.json").read_bytes())
    assert report["benchmarks"]["coco-retrieval"] == expected
    assert report["unmeasured"] == 0 and "retrieval" not in report
    table = orjson.loads(Path("bench/table.json").read_bytes())
    keys = {number["key"]: number for number in table["numbers"]}
    number = keys["coco-retrieval.image_to_text.r_at_1"]
    assert number["models"][0]["mean"] == expected["R@1, image to text"]["value"]
    assert number["models"][1]["difference"] == 0
    assert "R@10, text to image" in Path("bench/table.txt").read_text()


def check_nothing_is_new(items):
    assert not any(item.new for item in items)


def test_what_is_missing_is_said(benchmarks):
    done = run("data", "benchmark", "--check", benchmarks)
    assert done.exit_code == 3
    found = {one["name"]: one for one in parse_lines(done.stdout_bytes)}
    assert found["sugarcrepe"]["items"] == found["sugarcrepe"]["images"] == 1
    assert found["sugarcrepe"]["missing_images"] == 0
    assert "1 of 7,511 items" in found["sugarcrepe"]["problems"][-1]
    (benchmarks / "images/coco/val2017/1.png").unlink()
    again = parse_lines(run("data", "benchmark", "sugarcrepe", "--check", benchmarks).stdout_bytes)
    assert again[0]["missing_images"] == 1
    assert any("1 of 1 images are missing: 1.png" in line for line in again[0]["problems"])


def test_every_benchmark_says_where_its_files_go():
    found = parse_lines(run("data", "benchmark", "--where", "--format", "json").stdout_bytes)
    for one in found:
        assert one["files"]["into"] == one["name"]
        assert one["images"]["into"] and one["images"]["what"]
    text = run("data", "benchmark", "sugarcrepe", "--where", "--format", "table").stdout
    assert "  into DIR/images/coco/val2017/\n" in text


def test_without_images_the_layout_is_asked(benchmarks):
    done = run("data", "benchmark", "sugarcrepe", benchmarks)
    assert parse_lines(done.stdout_bytes)[0]["image"].endswith("images/coco/val2017/1.png")
    assert run("data", "benchmark", "spec", benchmarks).exit_code == 2


@pytest.mark.parametrize(
    "args", [[], ["--model", "ViT-B-32"], ["--model", "hnclip-tiny", "--benchmark", "nonsense"]]
)
def test_wrong_usage_exits_with_2(benchmarks, args):
    assert run("bench", benchmarks, *args).exit_code == 2


def test_benchmarks_and_folders_are_looked_at_before_models(tmp_path):
    model = ["--model", "no-such-model"]
    assert "got 'nonsense'" in run("bench", tmp_path, *model, "--benchmark", "nonsense").stderr
    assert "no such folder" in run("bench", tmp_path / "none", *model).stderr
    assert "no folder of a benchmark" in run("bench", tmp_path, *model).stderr
    (tmp_path / "sugarcrepe").mkdir()
    assert "no model 'no-such-model'" in run("bench", tmp_path, *model).stderr
