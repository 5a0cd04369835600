"""What records say of their true pairs and ranks, and what reports make of it."""

import numpy as np
import pytest

from hnclip_cli.benchmarks import retrieval
from hnclip_cli.errors import InputError
from hnclip_cli.evaluation.compare import compare
from hnclip_cli.evaluation.ranks import rank_margins
from hnclip_cli.evaluation.report import evaluate

ALL = retrieval("R@1", "R@5", "R-Precision", "mAP@R")


def pairs(**fields):
    """Four records of an image each, whose captions are those of the next image."""
    return [
        {"id": f"{n}", "image": f"{n}.jpg", "caption": "a"}
        | {name: of[n] for name, of in fields.items() if of[n] is not None}
        for n in range(4)
    ]


def recalls(records):
    images = np.eye(4, dtype=np.float32)
    rows = {"image_embeddings": images, "caption_embeddings": np.roll(images, -1, axis=0)}
    return evaluate(records, rounds=0, **rows)["retrieval"]


def test_what_a_record_names_counts_instead_of_its_own_pair():
    assert recalls(pairs())["text_to_image"]["R@1"] == 0
    nexts = [[f"{(n + 1) % 4}.jpg"] for n in range(4)]
    found = recalls(pairs(true_images=nexts))
    assert (found["text_to_image"]["R@1"], found["image_to_text"]["R@1"]) == (1, 0)
    found = recalls(pairs(true_captions=[["3"], ["0"], None, None]))
    assert (found["text_to_image"]["R@1"], found["image_to_text"]["R@1"]) == (0, 0.5)


def test_ids_that_are_none_name_no_caption():
    records = pairs(true_captions=[["3"], None, None, None])
    records[3]["id"], records[2]["id"] = [3], 7
    assert recalls(records)["image_to_text"]["R@1"] == 0


def test_a_caption_of_no_image_is_no_query():
    found = recalls(pairs(true_images=[["1.jpg"], [], [], ["9.jpg", "0.jpg"]]))
    assert (found["text_to_image"]["R@1"], found["text_to_image"]["n"]) == (1, 2)


@pytest.mark.parametrize("names", ["1.jpg", [1], [""], None])
def test_true_candidates_are_a_list_of_names(names):
    records = pairs()
    records[1]["true_images"] = names
    with pytest.raises(InputError, match=r'^records:2: field "true_images"'):
        recalls(records)


def test_shares_and_recalls_of_one_query():
    found = rank_margins("text_to_image", [1, 3, 4, 9], ALL)
    assert found["text_to_image_recall", 1] == [0.5] and found["text_to_image_recall", 5] == [4.5]
    assert found["text_to_image_r_precision", 1] == [3 / 4]
    assert found["text_to_image_map", 1] == [(1 + 2 / 3 + 3 / 4) / 4]
    assert "image_to_text_map" not in {name for name, _ in found}


def ranked(*ranks):
    return [
        {"id": str(n), "image": f"{n}.jpg", "caption": "a", "benchmark": "eccv-caption",
         "scores": [[0.1]], "ranks": {"text_to_image": of}}
        for n, of in enumerate(ranks)
    ]  # fmt: skip


def test_shares_have_intervals_and_are_compared():
    first, second = ranked([1, 2], [1, 3], [7, 9]), ranked([1, 2], [1, 2], [1, 5])
    report = evaluate(first)
    number = report["benchmarks"]["eccv-caption"]["R-Precision, text to image"]
    assert number["value"] == 0.5 and 0 <= number["interval"][0] < 0.5 < number["interval"][1] <= 1
    assert report["unmeasured"] == 0
    both = compare([first, second])["benchmarks"]["eccv-caption"]["mAP@R, text to image"]
    assert (both["a"], both["b"]) == (pytest.approx(1.5 / 3), pytest.approx(2.5 / 3))
    assert both["interval"][0] <= both["difference"] == both["b"] - both["a"] <= both["interval"][1]
    table = compare([first, second, second])["numbers"]
    cell = next(n for n in table if n["key"] == "eccv-caption.text_to_image.map_at_r")["models"][2]
    assert cell["difference"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("ranks", [[], [0], [2, 1], ["1"], 1, [1.0]])
def test_ranks_that_are_none_name_the_record(ranks):
    with pytest.raises(InputError, match='field "ranks" is malformed'):
        evaluate(ranked(ranks))


def test_text_alone_says_nothing_of_retrieval():
    report = evaluate(ranked([1], [2]), blind="trigrams", rounds=0)
    number = report["benchmarks"]["eccv-caption"]["R@1, text to image"]
    assert number["value"] == 0.5 and "blind" not in number
