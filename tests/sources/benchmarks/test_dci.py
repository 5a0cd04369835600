"""sDCI and Long-DCI against scripts written after the official evaluation."""

import json

import numpy as np
import pytest
from PIL import Image

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.evaluation.report import evaluate
from hnclip_cli.streams.jsonl import ErrorPolicy
from tests.sources.benchmarks.vectors import official_retrieval, vector, vectors

WIDTH, HEIGHT = 1000, 800
BOXES = [(10, 20, 400, 420), (600, 500, 990, 790), (0, 0, 100, 700), (300, 100, 800, 600)]


def corner(x, y):
    return {"x": x, "y": y}


def annotation(number, is_whole=True):
    keys = ["base", *(f"m-{index}-sc" for index in range(len(BOXES)))]
    return {
        "image": f"sa_{number}.jpg",
        "short_caption": "Short.",
        "extra_caption": f"A long description, {number}." if number % 3 else "",
        "mask_data": {
            str(index): {
                "idx": index,
                "bounds": {"topLeft": corner(*box[:2]), "bottomRight": corner(*box[2:])},
            }
            for index, box in enumerate(BOXES)
        },
        "summaries": {
            key: [f"{number} {key}", "Another."] if number % 2 else f"{number} {key}"
            for key in keys if is_whole or key == "base"
        },
        "negatives": {
            key: {kind: [f"{number} {key} not {kind} {n}" for n in range(2)]
                  for kind in ("swaps", "layout", "basic")}
            for key in keys
        },
        "clip_scores": {
            key: {f"{kind}_{n}": float(vector(f"{number}{key}{kind}{n}")[0])
                  for kind in ("swaps", "layout", "basic") for n in range(2)}
            for key in keys
        },
    }  # fmt: skip


def write(folder, name, content):
    folder.write(f"complete/{name}.json", content)
    (folder.images / "photos").mkdir(exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT)).save(folder.images / "photos" / content["image"])


@pytest.fixture
def names(folder):
    names = [f"{number}-data" for number in range(9)]
    for number, name in enumerate(names):
        write(folder, name, annotation(number))
    write(folder, "no-summaries", annotation(90) | {"summaries": None})
    write(folder, "no-crops", annotation(91) | {"negatives": {"base": {"swaps": ["a"]}}})
    test = [*names[:4], "no-summaries", "no-crops", *names[4:]]
    splits = {"train": ["x.json"], "test": [f"{name}.json" for name in test]}
    folder.write("splits.json", splits)
    return names


def entries(number):
    """Of each entry of an image what its vector is of, its caption and its negatives."""
    data = annotation(number)
    found = [("base", None)]
    for index, (x1, y1, x2, y2) in enumerate(BOXES):
        width, height = x2 - x1, y2 - y1
        if width >= 224 and height >= 224:
            x1, y1 = max(x1 - int(width * 0.15), 0), max(y1 - int(height * 0.15), 0)
            x2, y2 = min(x2 + int(width * 0.15), WIDTH), min(y2 + int(height * 0.15), HEIGHT)
            found.append((f"m-{index}-sc", [x1, y1, x2 - x1, y2 - y1]))
    for key, box in found:
        summary, negatives = data["summaries"][key], data["negatives"][key]
        scored = [
            (data["clip_scores"][key][f"{kind}_{n}"], text)
            for kind, texts in negatives.items() for n, text in enumerate(texts)
        ]  # fmt: skip
        caption = summary if isinstance(summary, str) else summary[0]
        yield f"photos/{data['image']}{box}", caption, negatives["swaps"][0], max(scored)[1]


def test_sdci(folder, names):
    found = [entry for number in range(len(names)) for entry in entries(number)]
    assert len(found) == 9 * 4
    images, captions = vectors([e[0] for e in found]), vectors([e[1] for e in found])
    own = (images * captions).sum(axis=1)
    swaps, hardest = (own > (images * vectors([e[i] for e in found])).sum(axis=1) for i in (2, 3))
    correct = 0
    for start in range(0, len(found), 8):
        logits = images[start : start + 8] @ captions[start : start + 8].T
        correct += sum(row == np.argmax(scores) for row, scores in enumerate(logits))
    expected = {
        "SCM": (correct / 36, 36),
        "Neg": (swaps.mean(), 36),
        "Neg, whole images": (swaps[::4].mean(), 9),
        "Neg, hardest": (hardest.mean(), 36),
    }
    records = folder.read("sdci")
    assert len(records) == 2 * len(found)
    rows = vectors([f"{folder.names(r)[0]}{r.get('crops', [None])[0]}" for r in records])
    texts = [[record["caption"], record["negatives"][0]["caption"]] for record in records]
    for record, row, two in zip(records, rows, texts, strict=True):
        record["scores"] = [(vectors(two) @ row).tolist()]
    captions = vectors([two[0] for two in texts])
    report = evaluate(records, rounds=0, image_embeddings=rows, caption_embeddings=captions)
    numbers = report["benchmarks"]["sdci"]
    assert {name: (of["value"], of["n"]) for name, of in numbers.items()} == expected


def test_long_dci_leaves_out_images_without_a_long_description(folder, names):
    for number, name in enumerate(names):
        folder.write(f"annotations/{name}.json", annotation(number))
    kept = [number for number in range(9) if number % 3]
    places = [f"photos/sa_{number}.jpg" for number in kept]
    records = folder.read("dci")
    assert [folder.names(record)[0] for record in records] == places
    scores = vectors(places) @ vectors([f"A long description, {n}." for n in kept]).T
    found = official_retrieval(folder, "dci", records)
    assert found["R@1, image to text"] == ((scores.argmax(axis=1) == np.arange(6)).mean(), 6)
    assert found["R@1, text to image"] == ((scores.argmax(axis=0) == np.arange(6)).mean(), 6)


def test_an_image_with_an_incomplete_entry_is_one_bad_item(folder, names):
    write(folder, names[2], annotation(2, is_whole=False))
    with pytest.raises(InputError, match=r"2-data\.json: item '2-data': missing field \"m-0-sc\""):
        folder.read("sdci")
    assert len(folder.read("sdci", policy=ErrorPolicy("skip"))) == 2 * 8 * 4


@pytest.mark.parametrize("splits", [{}, {"test": "a"}, {"test": [1]}, []])
def test_other_splits_are_no_official_file(folder, splits):
    folder.write("splits.json", splits)
    with pytest.raises(HnclipError, match=r"splits\.json: not an official file"):
        folder.read("sdci")


def test_a_name_cannot_lead_out_of_the_folder(folder):
    folder.write("splits.json", {"test": ["../secret.json"]})
    with pytest.raises(HnclipError, match="annotation leaves its folder"):
        folder.read("sdci")


def test_a_folder_without_annotations_is_refused(folder):
    with pytest.raises(HnclipError, match=r"no annotations; expected annotations/\*\.json"):
        folder.read("dci")
    folder.write("annotations/a.json", json.dumps([1]))
    with pytest.raises(HnclipError, match=r"a\.json: not an official file"):
        folder.read("dci")
