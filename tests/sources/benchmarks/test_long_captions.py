"""Long-caption retrieval: items and recalls against scripts after the published evaluations."""

import json

import numpy as np
import pytest

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.sources.benchmarks.long_captions import SHAREGPT4V_FILE
from hnclip_cli.streams.jsonl import ErrorPolicy
from tests.sources.benchmarks.vectors import official_retrieval, vectors

COUNT = 60


def text(number):
    return f"A long caption, {number}. " + "It goes on and on. " * 30


def lines(*entries):
    return "".join(f"{json.dumps(entry)}\n" for entry in entries)


def urban1k(folder):
    for number in range(COUNT):
        folder.image(f"image/{number}.jpg")
        folder.write(f"caption/{number}.txt", f"{text(number)}\nA second line.\n")
    return [f"image/{number}.jpg" for number in range(COUNT)]


def docci(folder):
    folder.image(*(f"images/test_{number}.jpg" for number in range(COUNT)))
    entries = [
        {"example_id": f"{split}_{number}", "split": split, "image_file": f"{split}_{number}.jpg",
         "description": text(number)}
        for split in ("train", "test", "qual_test") for number in range(COUNT)
    ]  # fmt: skip
    folder.write("docci_descriptions.jsonlines", lines(*entries))
    return [f"images/test_{number}.jpg" for number in range(COUNT)]


def iiw(folder):
    third = COUNT // 3
    sets = {"IIW-400": "image/key", "DCI_Test": "image", "DOCCI_Test": "image"}
    names, number = [], 0
    for name, field in sets.items():
        entries = []
        for _ in range(third):
            image = f"sa_{number}.jpg" if name == "DCI_Test" else f"test_{number}"
            place = f"photos/{image}" if name == "DCI_Test" else f"images_aar/{image}.jpg"
            entries.append({field: image, "IIW": text(number), "IIW-P5B": "Of a model."})
            folder.image(place)
            names.append(place)
            number += 1
        folder.write(f"{name}/data.jsonl", lines(*entries))
    return names


def sharegpt4v(folder):
    folder.image(*(f"sam/images/sa_{number}.jpg" for number in range(COUNT)))
    entries = [
        {"id": f"sa_{number}", "image": f"sam/images/sa_{number}.jpg", "conversations": [
            {"from": "human", "value": "<image>\nWhat is there?"},
            {"from": "gpt", "value": text(number).replace(". It", ".\nIt", 1)},
        ]} for number in range(COUNT)
    ]  # fmt: skip
    folder.write(SHAREGPT4V_FILE, json.dumps([*entries, {"image": "for training"}]))
    return [f"sam/images/sa_{number}.jpg" for number in range(COUNT)]


MAKERS = {"urban1k": urban1k, "docci": docci, "iiw": iiw, "sharegpt4v-1k": sharegpt4v}


@pytest.mark.parametrize("name", MAKERS)
def test_each_image_and_its_caption_are_queries(folder, name, monkeypatch):
    monkeypatch.setattr("hnclip_cli.sources.benchmarks.long_captions.SHAREGPT4V_EVALUATED", COUNT)
    names = MAKERS[name](folder)
    records = folder.read(name)
    assert [folder.names(record) for record in records] == [[place] for place in names]
    assert [record["caption"] for record in records] == [text(number) for number in range(COUNT)]
    similarity = vectors(map(text, range(COUNT))) @ vectors(names).T
    expected = {}
    for direction, scores in (("image to text", similarity.T), ("text to image", similarity)):
        assert [np.argmax(row) for row in scores] != list(range(COUNT))
        for k in (1, 5, 10):
            top = np.argsort(-scores, axis=1, kind="stable")[:, :k]
            value = np.mean([own in row for own, row in enumerate(top)])
            expected[f"R@{k}, {direction}"] = (value, COUNT)
    assert official_retrieval(folder, name, records) == expected


@pytest.mark.parametrize(
    ("name", "file", "content", "words"),
    [
        ("urban1k", "caption/7.txt", "\nsecond", r"7\.txt: item '7': field \"caption\" is empty"),
        (
            "docci",
            "docci_descriptions.jsonlines",
            '{"split": "test"}',
            'missing field "image_file"',
        ),
        ("docci", "docci_descriptions.jsonlines", "broken", "broken JSON"),
        ("iiw", "DCI_Test/data.jsonl", '{"image": "7.jpg"}', 'missing field "IIW"'),
        ("sharegpt4v-1k", SHAREGPT4V_FILE, '[{"conversations": [1]}]', "item '0'.* has no answer"),
        ("sharegpt4v-1k", SHAREGPT4V_FILE, "[1]", "item '0': not an item"),
    ],
)
def test_a_bad_item_is_named(folder, name, file, content, words):
    folder.image("7.jpg")
    folder.write(file, content)
    with pytest.raises(InputError, match=words):
        folder.read(name)
    assert folder.read(name, policy=ErrorPolicy("skip")) == []


def test_what_is_broken_as_a_whole_is_refused(folder):
    with pytest.raises(HnclipError, match=r"official: no captions; expected caption/N\.txt"):
        folder.read("urban1k")
    (folder.path / "1.txt").write_bytes(b"\xff")
    with pytest.raises(HnclipError, match=r"1\.txt: invalid UTF-8"):
        folder.read("urban1k")
    folder.write(SHAREGPT4V_FILE, '[{"image": "a"')
    with pytest.raises(HnclipError, match="broken JSON"):
        folder.read("sharegpt4v-1k")
