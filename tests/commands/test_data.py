import io
import json
import os
import signal
import subprocess
import sys
import tarfile

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from hnclip_cli.benchmarks import BENCHMARKS
from hnclip_cli.cli import cli
from hnclip_cli.commands.data import COMMANDS, data
from tests.conftest import ROOT, environment, parse_lines, run_hnclip, to_lines
from tests.factories import make_records
from tests.sources.caption_files.examples import EXAMPLES

ITEM = {"filename": "1.jpg", "caption": "a dog and a cat", "negative_caption": "a cat and a dog"}


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def official(working_folder):
    (working_folder / "images").mkdir()
    (working_folder / "images" / "1.jpg").touch()
    (working_folder / "official").mkdir()
    bad = {**ITEM, "filename": "2.jpg"}
    (working_folder / "official" / "swap_obj.json").write_text(
        json.dumps({"1": ITEM, "2": bad, "3": ITEM})
    )
    (working_folder / "official" / "add_att.json").write_text(json.dumps({"1": ITEM}))
    return working_folder / "official"


def invoke(*args):
    return CliRunner().invoke(cli, ["data", *map(str, args)])


def pipe(data, *args):
    return CliRunner().invoke(cli, list(map(str, args)), input=data)


def read_official(*args):
    return invoke("benchmark", "sugarcrepe", "official", "--images", "images", *args)


def test_the_table_of_subcommands_says_what_each_says_itself():
    for name, line in COMMANDS.items():
        assert data.get_command(None, name).name == name
        assert " ".join((data.get_command(None, name).help or "").split("\n\n")[0].split()) == line


def test_the_benchmark_of_the_documentation_is_read_and_scored(working_folder):
    text = (ROOT / "docs" / "data.md").read_text()
    (working_folder / "mine.py").write_text(text.split("```python\n")[1].split("```")[0])
    (working_folder / "1.jpg").touch()
    items = [
        {"file": "1.jpg", "caption": "a dog", "foil": "a cat", "topic": topic} for topic in "aab"
    ]
    (working_folder / "mine.json").write_text(json.dumps(items))
    read = run_hnclip("data", "benchmark", "mine", ".", "--images", ".", "--plugin", "mine.py")
    assert read.returncode == 0 and read.stderr.startswith(b"hnclip: .: 3 of 500 items; ")
    records = parse_lines(read.stdout)
    assert [record["id"] for record in records] == [f"mine/mine/{i}" for i in range(3)]
    for record, scores in zip(records, [[1, 0], [0, 1], [1, 0]], strict=True):
        record["scores"] = [scores]
    done = run_hnclip("eval", "--plugin", "mine.py", stdin=to_lines(*records))
    official = json.loads(done.stdout)["benchmarks"]["mine"]
    assert official["accuracy, mean of 2 topics"]["value"] == 0.75
    assert official["accuracy, micro"]["n"] == 3


def test_data_alone_shows_its_subcommands():
    result = invoke()
    assert result.exit_code == 2
    assert "scenes" in result.stderr and "benchmark" in result.stderr


def test_the_help_of_benchmark_lists_all_names():
    result = invoke("benchmark", "--help")
    assert result.exit_code == 0
    assert all(name in result.stdout for name in BENCHMARKS)


def test_scenes_go_to_the_folder_and_their_records_to_stdout():
    result = invoke("scenes", "made/here", "-n", 3, "--seed", 4, "--image-size", 48)
    assert (result.exit_code, result.stderr) == (0, "")
    records = parse_lines(result.stdout_bytes)
    assert [record["image"] for record in records] == [
        f"made/here/scenes-train-4-{index:06d}.png" for index in range(3)
    ]
    assert Image.open(records[0]["image"]).size == (48, 48)


def test_scenes_can_write_their_records_to_a_file():
    assert invoke("scenes", "made", "-n", 2, "-o", "records.jsonl").stdout == ""
    with open("records.jsonl", "rb") as stream:
        assert len(parse_lines(stream.read())) == 2


def test_no_scenes_are_no_lines():
    result = invoke("scenes", "made", "-n", 0)
    assert (result.exit_code, result.stdout) == (0, "")


@pytest.mark.parametrize(
    "args",
    [
        ["scenes"],
        ["images"],
        ["images", ""],
        ["webdataset"],
        ["webdataset", ""],
        ["scenes", "made"],
        ["scenes", "", "-n", "1"],
        ["scenes", "made", "-n", "-1"],
        ["scenes", "made", "-n", "1", "--image-size", "8"],
        ["scenes", "made", "-n", "1", "--split", "val"],
        ["benchmark", "sugarcrepe", "official"],
        ["benchmark", "sugarcrepe", "", "--images", "."],
    ],
)
def test_wrong_usage_exits_2_and_makes_nothing(args, working_folder):
    assert invoke(*args).exit_code == 2
    assert os.listdir(working_folder) == []


def test_a_folder_that_cannot_be_made_is_one_line(working_folder):
    (working_folder / "file").touch()
    result = invoke("scenes", "file", "-n", 1)
    assert result.exit_code == 1
    assert result.stderr == "hnclip: file: cannot write it: File exists; try another DIR\n"


def test_a_name_that_is_not_utf8_is_wrong_usage():
    result = run_hnclip("data", "scenes", b"\xff".decode(errors="surrogateescape"), "-n", 1)
    assert result.returncode == 2
    assert b"not UTF-8" in result.stderr


def test_records_stream_and_a_killed_run_leaves_only_whole_images(working_folder):
    command = [sys.executable, "-m", "hnclip_cli", "data", "scenes", "made", "-n", "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as process:
        lines = [process.stdout.readline() for _ in range(5)]
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
    assert process.returncode == 143
    assert [record["id"][-1] for record in parse_lines(b"".join(lines))] == list("01234")
    for path in (working_folder / "made").iterdir():
        assert path.suffix == ".png"
        Image.open(path).load()


def test_a_reader_that_has_enough_ends_the_run():
    command = [sys.executable, "-m", "hnclip_cli", "data", "scenes", "made", "-n", "100000"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_a_benchmark_becomes_records_in_the_official_order(official):
    (official / "swap_obj.json").write_text(json.dumps({"5": ITEM}))
    result = read_official()
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1] == (
        '{"id":"sugarcrepe/swap_obj/5","image":"images/1.jpg","caption":"a dog and a cat",'
        '"negatives":[{"caption":"a cat and a dog","kind":"swap-obj",'
        '"edits":[[2,15,"cat and a dog"]]}],"benchmark":"sugarcrepe","subset":"swap_obj"}'
    )
    assert parse_lines(result.stdout_bytes)[0]["id"] == "sugarcrepe/add_att/1"
    assert result.stderr == (
        "hnclip: official: 5 of the 7 official files are not there: "
        "add_obj.json replace_att.json replace_obj.json replace_rel.json swap_att.json\n"
        "hnclip: official: 2 of 7,511 items; hnclip data benchmark sugarcrepe official "
        "--images images --check says what is missing\n"
    )


def test_a_missing_image_ends_the_run_after_the_records_before_it(official):
    result = read_official()
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 2
    assert result.stderr.splitlines()[-1] == (
        "hnclip: official/swap_obj.json: item '2': image not found; got 'images/2.jpg'; "
        "try another --images folder"
    )


def test_with_skip_a_missing_image_is_named_and_counted(official):
    result = read_official("--on-error", "skip", "-o", "out.jsonl")
    assert result.exit_code == 3
    assert "skipped: official/swap_obj.json: item '2': image not found" in result.stderr
    assert result.stderr.endswith("hnclip: skipped 1 bad record\n")
    with open("out.jsonl", "rb") as stream:
        assert len(parse_lines(stream.read())) == 3


def test_a_failed_run_leaves_no_output_file(official):
    assert read_official("-o", "out.jsonl").exit_code == 1
    assert not os.path.exists("out.jsonl")


def test_an_unknown_benchmark_is_wrong_usage_and_lists_the_names():
    result = invoke("benchmark", "sugarcane", "official", "--images", "images")
    assert result.exit_code == 2
    assert "no such benchmark; got 'sugarcane', expected one of sugarcrepe, " in result.stderr


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["benchmark", "--help"],
        ["images", "--help"],
        ["webdataset", "--help"],
        ["half-truths", "--help"],
        ["benchmark", "--list"],
        ["benchmark", "nope", "x", "--images", "x"],
    ],
)
def test_help_and_usage_errors_import_nothing_heavy(args):
    program = (
        "import sys; from hnclip_cli.cli import cli\n"
        f"cli(['data', *{args!r}], standalone_mode=False, prog_name='hnclip')"
    )
    watched = (
        "import atexit, sys\n"
        "heavy = {'torch', 'numpy', 'spacy', 'PIL', 'orjson', 'open_clip', 'yaml', 'pyarrow'}\n"
        "atexit.register(lambda: print('heavy:', sorted(heavy & set(sys.modules))))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", watched + program], capture_output=True, text=True
    )
    assert result.stdout.splitlines()[-1] == "heavy: []"


@pytest.fixture
def photographs(working_folder):
    folder = working_folder / "photographs"
    make_records(folder, 6)
    (folder / "0.txt").write_text("a red square")
    return folder


def make_shard(folder, name):
    with tarfile.open(name, "w") as tar:
        for path in sorted(folder.glob("*.png")):
            tar.add(path, path.name)
            text = f"caption {path.stem}".encode()
            info = tarfile.TarInfo(f"{path.stem}.txt")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))


@pytest.mark.usefixtures("parser")
def test_scenes_become_half_truths_that_are_scored_and_measured(tiny_run):
    scenes = invoke("scenes", "made", "-n", 8, "--split", "test").stdout_bytes
    hard = pipe(scenes, "negatives").stdout_bytes
    made = pipe(hard, "data", "half-truths")
    assert made.exit_code == 0
    items = parse_lines(made.stdout_bytes)
    scored = pipe(made.stdout_bytes, "score", "--model", tiny_run).stdout_bytes
    report = json.loads(pipe(scored, "eval").stdout)
    assert report["matching"]["half_truth"]["n"] == report["matching"]["ordered"]["n"] == len(items)
    assert set(report["by"]["subset"]) == {"entity", "relation"}


def test_images_of_a_folder_become_records_and_are_embedded(photographs, tiny_run):
    result = invoke("images", "photographs", "--pattern", "[0-3].png")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[:2] == [
        '{"id":"0.png","image":"photographs/0.png","caption":"a red square"}',
        '{"id":"1.png","image":"photographs/1.png"}',
    ]
    done = pipe(result.stdout_bytes, "embed", "--of", "image", "--model", tiny_run)
    assert np.load(io.BytesIO(done.stdout_bytes)).shape[0] == 4


def test_what_is_not_read_of_a_folder_is_counted_at_the_end(photographs):
    (photographs / "a.mp4").touch()
    (photographs / "0.txt").write_text("a red square\na square, red\n")
    result = invoke("images", "photographs", "--caption-lines")
    records = parse_lines(result.stdout_bytes)
    assert [(r["id"], r.get("caption")) for r in records[:3]] == [
        ("0.png", "a red square"), ("0.png#2", "a square, red"), ("1.png", None),
    ]  # fmt: skip
    assert result.stderr == "hnclip: .mp4 files that were not read: 1, named with -v\n"
    verbose = invoke("images", "photographs", "-v").stderr
    assert "hnclip: photographs/a.mp4: .mp4 files that were not read\n" in verbose


def test_a_folder_without_images_is_noted(working_folder):
    result = invoke("images", ".")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "hnclip: .: no image files\n"


def test_shards_embed_to_the_bytes_of_the_files_in_them(photographs, tiny_run):
    make_shard(photographs, "s-0.tar")
    result = invoke("webdataset", "s-{0..0}.tar")
    records = parse_lines(result.stdout_bytes)
    assert (result.exit_code, result.stderr, len(records)) == (0, "", 6)
    assert records[5] == {"id": "5", "image": "s-0.tar::5.png", "caption": "caption 5"}
    arrays = [
        pipe(lines, "embed", "--of", "image", "--model", tiny_run, *flags).stdout_bytes
        for lines in (result.stdout_bytes, invoke("images", "photographs").stdout_bytes)
        for flags in ((), ("--workers", 0))
    ]
    assert len(arrays[0]) > 1000 and len(set(arrays)) == 1


def test_training_reads_shards(photographs):
    make_shard(photographs, "s-0.tar")
    lines = invoke("webdataset", "s-0.tar").stdout_bytes
    flags = ("--model", "hnclip-tiny", "--objective", "clip", "--steps", 2, "--batch-size", 3)
    done = pipe(lines, "train", *flags, "--log-every", 1, "-o", "run")
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 2), done.stderr
    files = invoke("images", "photographs").stdout_bytes.replace(
        b'"image"', b'"caption":"x","image"'
    )
    bad = lines.replace(b"::3.png", b"::9.png")
    done = pipe(files + bad, "train", *flags, "--on-error", "skip", "-o", "run2")
    assert done.exit_code == 3
    assert "s-0.tar: no such member; got '9.png'" in done.stderr


def test_a_url_is_fetched_only_with_the_flag(photographs, tiny_run):
    record = {"image": f"file://{photographs}/0.png", "caption": "x"}
    command = ("score", "--model", tiny_run)
    done = pipe(to_lines(record), *command)
    assert done.exit_code == 1
    assert "hnclip fetches nothing" in done.stderr and "--remote-images" in done.stderr
    done = pipe(to_lines(record), *command, "--remote-images")
    assert (done.exit_code, done.stderr) == (0, "")


def test_a_bad_sample_is_skipped_and_counted(photographs):
    make_shard(photographs, "s-0.tar")
    with tarfile.open("s-0.tar", "a") as tar:
        tar.add(photographs / "0.txt", "extra.txt")
    assert invoke("webdataset", "s-0.tar").exit_code == 1
    result = invoke("webdataset", "s-0.tar", "--on-error", "skip")
    assert (result.exit_code, len(result.stdout.splitlines())) == (3, 6)
    assert "skipped: s-0.tar: sample 'extra': it has no image" in result.stderr


def test_the_list_says_where_files_come_from_and_what_is_measured():
    result = invoke("benchmark", "--list")
    assert (result.exit_code, result.stderr) == (0, "")
    entries = parse_lines(result.stdout_bytes)
    assert [entry["name"] for entry in entries] == list(BENCHMARKS)
    assert entries[6]["name"] == "valse" and entries[6]["items"] == 7702
    assert all(entry["source"] and entry["metric"] for entry in entries)


def test_the_list_is_a_table_where_that_is_asked_for():
    lines = invoke("benchmark", "--list", "--format", "table").stdout.splitlines()
    assert lines[0].split() == ["NAME", "ITEMS", "METRIC", "SOURCE"]
    assert len(lines) == 1 + len(BENCHMARKS)
    assert lines[1].startswith("sugarcrepe ") and " 7,511  " in lines[1]


def test_the_list_goes_to_a_file_too():
    assert invoke("benchmark", "--list", "-o", "list.jsonl").stdout == ""
    with open("list.jsonl", "rb") as stream:
        assert len(parse_lines(stream.read())) == len(BENCHMARKS)


@pytest.mark.parametrize(
    ("args", "missing"),
    [
        ([], "NAME; --list shows what there is"),
        (["valse"], "PATH; --list shows what there is"),
        (["valse", "x"], "--images, as x holds no folder valse"),
    ],
)
def test_what_is_missing_is_named(args, missing):
    result = invoke("benchmark", *args)
    assert result.exit_code == 2
    assert f"missing {missing}" in result.stderr


def test_the_tagger_of_negatives_makes_the_word_orders(working_folder):
    (working_folder / "1.jpg").touch()
    entry = {"image": "1.jpg", "caption": ["A black dog chases a white cat over a mat."]}
    (working_folder / "flickr30k_test.json").write_text(json.dumps([entry]))
    result = invoke("benchmark", "aro-flickr-order", "flickr30k_test.json", "--images", ".")
    assert result.exit_code == 0
    (record,) = parse_lines(result.stdout_bytes)
    words = record["negatives"][0]["caption"].split()
    assert record["negatives"][0]["kind"] == "shuffle-nouns-and-adjectives"
    assert {words[1], words[5]} == {"black", "white"}
    assert [words[i] for i in (0, 3, 4, 7, 8)] == ["a", "chases", "a", "over", "a"]


@pytest.mark.parametrize(("flags", "count"), [([], 1), (["--templates", "simple"], 7)])
def test_the_templates_of_open_clip_make_the_prompts(working_folder, flags, count):
    for name in ("cat", "dog"):
        (working_folder / "made" / name).mkdir(parents=True)
        (working_folder / "made" / name / "1.jpg").touch()
    result = invoke("benchmark", "imagefolder", "made", "--images", "made", *flags)
    assert result.exit_code == 0
    cat, dog = parse_lines(result.stdout_bytes)
    assert len(cat["captions"]) == 2 * count
    assert dog["truth"] == [[0, count + number] for number in range(count)]
    assert cat["prompts_per_class"] == count and "dog" in cat["captions"][count]


def test_captions_become_negatives_in_one_pipe(working_folder):
    path = EXAMPLES["coco"].write(working_folder)
    (working_folder / "images").mkdir()
    for number in (139, 285, 632):
        (working_folder / "images" / f"{number:012d}.jpg").touch()
    result = invoke("captions", path, "--images", "images")
    assert result.exit_code == 0, result.stderr
    made = parse_lines(pipe(result.stdout_bytes, "negatives").stdout_bytes)
    assert [record["image"] for record in made[:2]] == [
        "images/000000000139.jpg", "images/000000000285.jpg"
    ]  # fmt: skip
    assert made[0]["negatives"]


def test_some_captions_are_taken_in_their_order(working_folder):
    path = EXAMPLES["flickr_token"].write(working_folder)
    whole = parse_lines(invoke("captions", path).stdout_bytes)
    assert parse_lines(invoke("captions", path, "--limit", 2).stdout_bytes) == whole[:2]
    drawn = parse_lines(invoke("captions", path, "--sample", 3, "--seed", 1).stdout_bytes)
    assert len(drawn) == 3 and drawn == [record for record in whole if record in drawn]


def test_captions_without_their_images_are_skipped_and_counted(working_folder):
    path = EXAMPLES["flickr_token"].write(working_folder)
    (working_folder / "images").mkdir()
    (working_folder / "images" / "1001.jpg").touch()
    result = invoke("captions", path, "--images", "images", "--on-error", "skip")
    assert result.exit_code == 3
    assert len(parse_lines(result.stdout_bytes)) == 1
    assert result.stderr.splitlines()[-1] == "hnclip: skipped 5 bad records"
    result = invoke("captions", path, "--images", "images")
    assert result.exit_code == 1 and result.stdout == ""
    assert result.stderr == (
        f"hnclip: {path}:1: image not found; got 'images/1000.jpg', expected it in "
        "one of images, images/train2017, images/val2017, images/train2014, images/val2014; "
        "try another --images folder\n"
    )


def test_what_is_odd_and_splits_are_noted(working_folder):
    path = EXAMPLES["karpathy"].write(working_folder)
    result = invoke("captions", path)
    assert "hnclip: dataset_coco.json" not in result.stderr
    assert result.stderr.endswith("val 1, test 1); --split takes some of them\n")
    result = invoke("captions", path, "--split", "val", "-o", "val.jsonl")
    assert (result.stdout, result.stderr) == ("", "")
    assert len(parse_lines((working_folder / "val.jsonl").read_bytes())) == 2
    result = invoke("captions", path, "--images", ".", "--save-images", ".")
    assert result.exit_code == 2
    assert invoke("captions", path, "--format", "none").exit_code == 2


def test_no_output_appears_where_a_split_is_empty(working_folder):
    path = EXAMPLES["karpathy"].write(working_folder)
    result = invoke("captions", path, "--split", "tset", "-o", "out.jsonl")
    assert result.exit_code == 1
    assert "no caption; got --split tset, expected a split of train, restval, val, test" in (
        result.stderr
    )
    assert not (working_folder / "out.jsonl").exists()
