"""ECCV Caption and CxC on excerpts of the files, against scripts after the official ones."""

import json

import numpy as np
import pytest

from hnclip_cli.errors import HnclipError, InputError
from tests.sources.benchmarks.vectors import official_retrieval, vectors

WAYS = {"image to text": "image_to_caption", "text to image": "caption_to_image"}


def image_name(number):
    return f"COCO_val2014_{int(number):012d}.jpg"


def write_karpathy(folder, captions_of):
    """Karpathy's file with these images and captions, by number, and one image for training."""
    images = [
        {
            "filepath": "val2014",
            "filename": image_name(image),
            "cocoid": int(image),
            "split": "test",
            "sentences": [{"raw": f"Caption {one}.", "sentid": one} for one in captions],
        }
        for image, captions in captions_of.items()
    ]
    folder.image(*(image_name(image) for image in captions_of))
    folder.write("dataset_coco.json", {"images": [*images, images[0] | {"split": "train"}]})


@pytest.fixture
def judged(folder, real_data):
    """The excerpts by name, beside a Karpathy file of the same images."""
    found = {}
    for path in (real_data / "benchmarks" / "eccv_caption").glob("*.json"):
        folder.write(path.name, path.read_text())
        found[path.stem] = json.loads(path.read_text())
    write_karpathy(folder, found["original_image_to_caption"])
    return found


def rankings(judged):
    """Of each image all captions, and of each caption all images, the nearest first."""
    of_image = judged["original_image_to_caption"]
    images, captions = list(of_image), [one for of in of_image.values() for one in of]
    scores = vectors(map(image_name, images)) @ vectors([f"Caption {c}." for c in captions]).T
    to_text = {
        image: [captions[i] for i in np.argsort(-row, kind="stable")]
        for image, row in zip(images, scores, strict=True)
    }
    to_image = {
        str(caption): [int(images[i]) for i in np.argsort(-row, kind="stable")]
        for caption, row in zip(captions, scores.T, strict=True)
    }
    return {"image to text": to_text, "text to image": to_image}


def eccv_numbers(ranking, true):
    """mAP@R, R-Precision and R@1 of one direction."""
    sums = {"mAP@R": 0.0, "R-Precision": 0.0, "R@1": 0.0}
    for query, positives in true.items():
        hits = [item in set(positives) for item in ranking[query][: len(set(positives))]]
        precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        sums["mAP@R"] += np.mean(precision * hits)
        sums["R-Precision"] += np.mean(hits)
        sums["R@1"] += hits[0]
    return {name: (total / len(true), len(true)) for name, total in sums.items()}


def recalls(ranking, true):
    return {
        f"R@{k}": (np.mean([bool({*ranking[q][:k]} & {*of}) for q, of in true.items()]), len(true))
        for k in (1, 5, 10)
    }


def assert_official(folder, judged, name, prefix, numbers):
    found = official_retrieval(folder, name)
    ranking = rankings(judged)
    expected = {
        f"{title}, {direction}": number
        for direction, way in WAYS.items()
        for title, number in numbers(ranking[direction], judged[f"{prefix}_{way}"]).items()
    }
    assert found.keys() == expected.keys()
    for title, (value, count) in expected.items():
        assert found[title] == (pytest.approx(value, abs=1e-12), count)
    assert any(0 < value < 1 for value, _ in expected.values())


def test_eccv_caption(folder, judged):
    assert_official(folder, judged, "eccv-caption", "eccv", eccv_numbers)
    assert len(folder.read("eccv-caption")) == 200


def test_cxc(folder, judged):
    assert_official(folder, judged, "cxc", "cxc", recalls)


def test_cxc_of_its_own_file(folder, judged):
    rows = [
        f"COCO_val2014:sentid:{caption},{image_name(image)},{score},c2i_intrasim"
        for image, captions in judged["cxc_image_to_caption"].items()
        for caption, score in [*((one, 3.0 + one % 3) for one in captions), (captions[0] + 1, 2.9)]
    ]
    folder.write("sits_test.csv", "\n".join(["caption,image,agg_score,sampling_method", *rows]))
    for way in WAYS.values():
        (folder.path / f"cxc_{way}.json").unlink()
    assert_official(folder, judged, "cxc", "cxc", recalls)


def test_what_is_true_and_not_there_is_never_found(folder):
    write_karpathy(folder, {"1": [11], "2": [22]})
    folder.write("eccv_image_to_caption.json", {"1": [11, 99]})
    folder.write("eccv_caption_to_image.json", {"22": [1, 2]})
    found = official_retrieval(folder, "eccv-caption")
    assert found["R-Precision, text to image"] == (1.0, 1)
    assert found["R-Precision, image to text"] == (0.5, 1)


@pytest.mark.parametrize("content", [[], {"a": [1]}, {"1": []}, {"1": ["2"]}, {"1": 2}])
def test_other_judgments_are_no_official_file(folder, content):
    write_karpathy(folder, {"1": [11]})
    folder.write("eccv_image_to_caption.json", content)
    folder.write("eccv_caption_to_image.json", {})
    with pytest.raises(HnclipError, match=r"eccv_image_to_caption\.json: not an official file"):
        folder.read("eccv-caption")


def test_a_row_of_other_images_is_named(folder):
    write_karpathy(folder, {"1": [11]})
    folder.write("sits_test.csv", "caption,image,agg_score\nflickr:1,COCO_val2014_1.jpg,3")
    with pytest.raises(InputError, match="item '1': no caption and image of COCO val2014"):
        folder.read("cxc")


def test_captions_need_their_numbers(folder):
    folder.write(
        "dataset_coco.json",
        {"images": [{"filename": "a.jpg", "split": "test", "sentences": [{"raw": "a"}]}]},
    )
    folder.write("eccv_image_to_caption.json", {})
    folder.write("eccv_caption_to_image.json", {})
    with pytest.raises(InputError, match="item '0/0': field \"cocoid\" is no number"):
        folder.read("eccv-caption")


def test_captions_alone_are_not_enough(folder):
    write_karpathy(folder, {"1": [11]})
    with pytest.raises(HnclipError, match="no official file in this folder; expected eccv_image"):
        folder.read("eccv-caption")
