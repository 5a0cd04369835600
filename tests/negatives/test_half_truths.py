"""Half-truths of captions by hand, and of drawn scenes, whose truth is known."""

import pytest

from hnclip_cli.errors import InputError
from hnclip_cli.negatives.half_truths import half_truths
from hnclip_cli.negatives.making import make_negatives
from hnclip_cli.sources.scenes.records import scene_records
from hnclip_cli.streams.jsonl import ErrorPolicy
from tests.sources.scenes.truth import is_true

pytestmark = pytest.mark.usefixtures("parser")


def made(caption, *negatives, kind="k", **fields):
    """Subset, anchor and half-truth of each item of a caption with these negatives."""
    record = {"id": "r", "image": "r.jpg", "caption": caption, **fields}
    record["negatives"] = [{"caption": text, "kind": kind} for text in negatives]
    items = list(half_truths([record]))
    assert all(item["captions"][0] == caption for item in items)
    return [(item["subset"], *item["captions"][1:]) for item in items]


@pytest.mark.parametrize(
    ("caption", "negative", "expected"),
    [
        (
            "a red square above a blue circle",
            "a red square above a green circle",
            ("entity", "a red square", "a red square and a green circle"),
        ),
        (
            "a red square above a blue circle",
            "a red square below a blue circle",
            ("relation", "a red square", "a red square below a blue circle"),
        ),
        (  # the first thing has changed: it is no longer at the start
            "A black and white cat on an old chair.",
            "A black and white dog on an old chair.",
            ("entity", "an old chair", "an old chair and a black and white dog"),
        ),
        (  # a place is something to be in
            "A woman standing in a kitchen by a window",
            "A woman standing in a living room by a window",
            ("entity", "A woman", "A woman standing in a living room"),
        ),
        (  # what is worn is on someone
            "A woman in a red jacket skiing down a slope",
            "A woman in a blue jacket skiing down a slope",
            ("entity", "A woman", "A woman in a blue jacket"),
        ),
        (  # no jacket skis
            "A woman in a red jacket skiing down a slope",
            "A woman in a red jacket walking down a slope",
            ("relation", "A woman", "A woman in a red jacket walking down a slope"),
        ),
        (  # "Two men and frisbee" is no English
            "Two men playing baseball in a field",
            "Two men playing soccer in a field",
            ("entity", "Two men", "Two men playing soccer"),
        ),
        (  # nor is "a woman are"
            "A man and a woman are posing in a kitchen.",
            "A man and a woman are eating in a kitchen.",
            ("relation", "A man and a woman", "A man and a woman are eating in a kitchen"),
        ),
        (  # words are only added
            "A dog on a bench.",
            "A dog on a bench near an elephant.",
            ("entity", "a bench", "a bench near an elephant"),
        ),
        (
            "A man rides a horse.",
            "A man does not ride a horse.",
            ("relation", "A man", "A man does not ride a horse"),
        ),
        (  # another clause is left out
            "Two men sit on a bench while it rains on a boat.",
            "Two men stand on a bench while it rains on a boat.",
            ("relation", "Two men", "Two men stand on a bench"),
        ),
        (
            "A kite with a tower in the background.",
            "A kite with a tower in the foreground.",
            ("relation", "a tower", "a tower in the foreground"),
        ),
    ],
)
def test_the_anchor_is_true_and_the_half_truth_adds_what_is_false(caption, negative, expected):
    assert made(caption, negative) == [expected]


def test_of_things_that_changed_places_the_first_is_true():
    edits = [[0, 11, "A big red dog"], [20, 33, "a small cat"]]
    caption, negative = "A small cat left of a big red dog.", "A big red dog left of a small cat."
    record = {"image": "r.jpg", "caption": caption}
    record["negatives"] = [{"caption": negative, "kind": "k", "edits": edits}]
    (item,) = half_truths([record])
    assert item["captions"][1:] == ["A big red dog", "A big red dog left of a small cat"]
    assert item["subset"] == "relation"


@pytest.mark.parametrize(
    ("caption", "negative"),
    [
        ("A cat is hanging.", "A dog is hanging."),  # nothing else is named
        ("A street without cars and a blue bus.", "A street without cars and a blue truck."),
        ("Another dog on a red couch.", "Another dog on a green couch."),
        ("A red cup on a blue table.", "A blue cup on a red table."),  # both have changed
        ("A red cup on a blue table.", "A person far away."),
        ("A couple of birds.", "A couple of dogs."),
    ],
)
def test_where_no_true_part_is_left_there_is_none(caption, negative):
    anchors = [anchor for _, anchor, _ in made(caption, negative)]
    assert not {"cars", "Another dog", "A couple", "A red cup"} & {*anchors}
    assert anchors in ([], ["A street"], ["a blue bus"])


def test_words_in_disorder_are_none_and_equal_ones_are_one():
    caption, negative = "a red square above a blue circle", "a red square above a green circle"
    assert made(caption, negative, kind="shuffle-words") == []
    assert len(made(caption, negative, negative)) == 1


def test_an_item_is_ordered_and_says_where_it_comes_from():
    record = {
        "id": "r", "image": "r.jpg", "group": "g", "caption": "a red square above a blue circle",
        "negatives": [
            {"caption": "nothing of it", "kind": "odd"},
            {"caption": "a red square under a blue circle", "kind": "flip-relation",
             "edits": [[13, 18, "under"]]},
        ],
    }  # fmt: skip
    notes = []
    items = list(half_truths([record, {**record, "negatives": []}], note=notes.append))
    assert items == [
        {
            "id": "r/1",
            "images": ["r.jpg"],
            "captions": [record["caption"], "a red square", "a red square under a blue circle"],
            "truth": [[0, 0], [0, 1]],
            "ordered": True,
            "group": "g",
            "subset": "relation",
            "tags": {"kind": "flip-relation"},
        }
    ]
    assert notes == ["1 of 2 records gave no half-truth"]


def test_the_half_truths_of_scenes_are_half_true(tmp_path):
    scenes = list(scene_records(str(tmp_path), 60, split="test"))
    objects = {scene["image"]: scene["objects"] for scene in scenes}
    kinds = ["replace-color", "flip-relation", "swap-noun-phrase"]
    items = list(half_truths(make_negatives(scenes, kinds)))
    for item in items:
        seen = objects[item["images"][0]]
        full, anchor, half = item["captions"]
        assert is_true(full, seen, 0.3) and is_true(anchor, seen, 0.3)
        parts = half.split(" and ") if item["subset"] == "entity" else [half]
        assert not all(is_true(part, seen, 3) for part in parts), half
        assert anchor in half
    assert {item["subset"] for item in items} == {"entity", "relation"} and len(items) > 40


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"negatives": None}, 'field "negatives" has the wrong type'),
        ({"caption": 5}, 'field "caption" has the wrong type'),
        ({"image": ""}, 'field "image" is empty'),
        ({"negatives": [{"caption": "a", "edits": [[0, 1, "b"]]}]}, "the edits do not lead"),
    ],
)
def test_a_bad_record_is_named_and_can_be_skipped(change, message):
    good = {"image": "r.jpg", "caption": "a cat", "negatives": []}
    with pytest.raises(InputError, match=f"^records:2: {message}"):
        list(half_truths([good, good | change]))
    policy = ErrorPolicy("skip")
    assert list(half_truths([good | change, good], policy=policy)) == []
    assert policy.num_skipped == 1


def test_records_without_negatives_are_told_what_comes_before():
    with pytest.raises(InputError, match="hnclip negatives first"):
        list(half_truths([{"image": "r.jpg", "caption": "a cat"}]))
