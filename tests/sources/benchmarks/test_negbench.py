"""NegBench's files and numbers, against a script written after the official evaluator."""

import ast
import csv
import json
from collections import defaultdict

import numpy as np
import pytest

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.evaluation.report import evaluate
from hnclip_cli.sources.benchmarks.negbench import CHOICE_COLUMNS, CHOICES, RETRIEVAL
from hnclip_cli.streams.jsonl import ErrorPolicy
from tests.sources.benchmarks.vectors import official_retrieval, vector, vectors

CHOICE = "COCO_val_mcq_llama3.1_rephrased.csv"
ROW = ["data/coco/images/val2017/7.jpg", "2", "a", "b", "c", "d", "hybrid"]


def write(folder, name, *rows, columns=CHOICE_COLUMNS):
    path = folder.path / name
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([columns, *rows])


def rows_of(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def place(path, stem):
    """Where the image of a row lies in this test."""
    return "/".join(path.split("/")[-2:]) if "synthetic" in stem else path.split("/")[-1]


def choice_score(folder, record):
    image = vector(folder.names(record)[0])
    captions = [record["caption"], *(one["caption"] for one in record["negatives"])]
    return [(vectors(captions) @ image).tolist()]


@pytest.fixture(params=[name for name in CHOICES if name.startswith("images")])
def choices(request, folder, real_data):
    path = real_data / "benchmarks" / "negbench" / request.param
    rows = rows_of(path)
    folder.write(path.name, path.read_text())
    folder.image(*(place(row["image_path"], path.stem) for row in rows))
    return path.stem, rows


def test_choices_count_as_in_the_official_evaluation(folder, choices):
    stem, rows = choices
    expected = defaultdict(list)
    for row in rows:
        image = vector(place(row["image_path"], stem))
        logits = [vector(row[f"caption_{k}"]) @ image for k in range(4)]
        right = int(np.argmax(logits)) == int(row["correct_answer"])
        expected[f"accuracy, {stem}"].append(right)
        expected[f"accuracy, {stem}, {row['correct_answer_template']}"].append(right)
    records = folder.read("negbench")
    assert len(records) == len(rows) == 40
    for record in records:
        record["scores"] = choice_score(folder, record)
    found = evaluate(records, rounds=0)["benchmarks"]["negbench"]
    assert {name: (entry["value"], entry["n"]) for name, entry in found.items()} == {
        name: (np.mean(of), len(of)) for name, of in expected.items()
    }


def test_retrieval_is_among_the_images_of_its_own_file(folder, real_data):
    """Both files of COCO in one run: each caption searches the images of its file."""
    expected = {}
    for name in filter(lambda name: name.startswith("images"), RETRIEVAL):
        path = real_data / "benchmarks" / "negbench" / name
        rows = rows_of(path)
        folder.write(path.name, path.read_text())
        names = [place(row["filepath"], path.stem) for row in rows]
        folder.image(*names)
        captions = [ast.literal_eval(row["captions"]) for row in rows]
        images, hits = vectors(names), defaultdict(list)
        for own, texts in enumerate(captions):
            for text in texts:
                order = np.argsort(-(images @ vector(text)), kind="stable")
                for k in (1, 5):
                    hits[k].append(own in order[:k])
        for k in (1, 5):
            title = f"R@{k}, text to image, {path.stem}"
            expected[title] = (np.mean(hits[k]), sum(map(len, captions)))
    assert official_retrieval(folder, "negbench") == expected
    assert 0 < expected["R@5, text to image, COCO_val_retrieval"][0] < 1


def test_the_right_answer_comes_first_wherever_it_stands(folder):
    folder.image("7.jpg")
    write(folder, f"images/{CHOICE}", ROW)
    (record,) = folder.read("negbench")
    assert record["caption"] == "c"
    assert [one["caption"] for one in record["negatives"]] == ["a", "b", "d"]
    assert record["tags"] == {"template": "hybrid"}
    assert record["id"] == "negbench/COCO_val_mcq_llama3.1_rephrased/1"
    assert folder.notes[1:] == [f"{folder.path}/images/{CHOICE}: 1 of 5,914 rows"]


def test_made_images_of_one_name_are_told_apart_by_their_folder(folder):
    folder.image("positive/1_img.png", "negative/1_img.png")
    rows = [
        [f"data/x/data/{kind}/1_img.png", json.dumps(["a"])] for kind in ("positive", "negative")
    ]
    write(folder, "synthetic_retrieval_v2.csv", *rows, columns=["filepath", "captions"])
    places = [folder.names(record) for record in folder.read("negbench")]
    assert places == [["positive/1_img.png"], ["negative/1_img.png"]]


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        (
            1,
            "4",
            'field "correct_answer" is out of range; got 4, expected a whole number from 0 to 3',
        ),
        (1, "first", 'field "correct_answer" is no number'),
        (5, " ", 'field "caption_3" is empty'),
        (6, "", 'field "correct_answer_template" is empty'),
        (0, "../../8.jpg", "image not found"),
    ],
)
def test_a_bad_row_is_named(folder, column, value, words):
    folder.image("7.jpg")
    bad = [*ROW]
    bad[column] = value
    write(folder, CHOICE, ROW, bad)
    with pytest.raises(InputError, match=f"item '2': {words}"):
        folder.read("negbench")
    assert len(folder.read("negbench", policy=ErrorPolicy("skip"))) == 1


@pytest.mark.parametrize("captions", ["a cat", "[1]", "[", "[]", "__import__('os').getpid()"])
def test_captions_are_a_list_of_texts_and_are_not_run(folder, captions):
    folder.image("7.jpg")
    write(folder, "COCO_val_retrieval.csv", ["7.jpg", captions], columns=["filepath", "captions"])
    with pytest.raises(InputError, match="item '1': field \"captions\""):
        folder.read("negbench")


def test_another_table_is_no_official_file(folder):
    write(folder, CHOICE, ["a"], columns=["image_path"])
    with pytest.raises(HnclipError, match="not an official file; got the columns image_path"):
        folder.read("negbench")


def video_frames(folder, path, count=7):
    """The four frames of a video's that count, of so many in its folder."""
    stem = path.split("/")[-1].removesuffix(".mp4")
    folder.image(*(f"{stem}/{number:02d}.jpg" for number in range(count)))
    return [f"{stem}/{number:02d}.jpg" for number in np.linspace(0, count - 1, 4, dtype=int)]


@pytest.mark.parametrize("name", ["msr_vtt_mcq_rephrased_llama", "msr_vtt_mcq_templated"])
def test_choices_of_videos_count_the_mean_of_four_frames(folder, real_data, name):
    path = real_data / "benchmarks" / "negbench" / "videos" / f"{name}.csv"
    folder.write(path.name, path.read_text())
    expected = defaultdict(list)
    for row in rows_of(path):
        video = vectors(video_frames(folder, row["image_path"])).mean(axis=0)
        logits = [vector(row[f"caption_{k}"]) @ video for k in range(4)]
        right = int(np.argmax(logits)) == int(row["correct_answer"])
        expected[f"accuracy, {name}"].append(right)
        expected[f"accuracy, {name}, {row['correct_answer_template']}"].append(right)
    records = folder.read("negbench")
    for record in records:
        record["scores"] = (vectors(folder.names(record)) @ vectors(record["captions"]).T).tolist()
    found = evaluate(records, rounds=0)["benchmarks"]["negbench"]
    assert {title: (entry["value"], entry["n"]) for title, entry in found.items()} == {
        title: (np.mean(of), len(of)) for title, of in expected.items()
    }


def test_videos_are_found_by_the_mean_of_four_frames(folder, real_data):
    path = real_data / "benchmarks" / "negbench" / "videos" / "msr_vtt_retrieval.csv"
    folder.write(path.name, path.read_text())
    rows = rows_of(path)
    videos = np.stack([vectors(video_frames(folder, row["filepath"])).mean(axis=0) for row in rows])
    videos /= np.linalg.norm(videos, axis=1, keepdims=True)
    texts = vectors([ast.literal_eval(row["captions"])[0] for row in rows])
    order = np.argsort(-(texts @ videos.T), axis=1, kind="stable")
    records = folder.read("negbench")
    report = evaluate(
        records,
        rounds=0,
        image_embeddings=vectors([name for record in records for name in folder.names(record)]),
        caption_embeddings=texts,
    )
    for k in (1, 5):
        found = report["benchmarks"]["negbench"][f"R@{k}, text to image, msr_vtt_retrieval"]
        hits = [own in row[:k] for own, row in enumerate(order)]
        assert (found["value"], found["n"]) == (np.mean(hits), 40)


def test_a_video_without_frames_is_named(folder):
    columns = ["filepath", "captions"]
    write(folder, "msr_vtt_retrieval.csv", ["data/video7.mp4", "['a']"], columns=columns)
    folder.image("video7/1.jpg")
    with pytest.raises(InputError, match=r"item '1/0': frames not found; got 1 files in .*video7"):
        folder.read("negbench")
