"""Which failures a page shows."""

import pytest

from hnclip_cli.evaluation import gallery
from hnclip_cli.evaluation.gallery import Gallery, flips, judge
from hnclip_cli.streams.records import Record
from tests.evaluation.test_compare import compare_records, matching, model
from tests.evaluation.test_report import short
from tests.evaluation.test_tree_of_means import RIGHT, WRONG


def record(scores, kinds=("swap-noun",), **fields):
    return Record(short(scores, list(kinds), **fields))


def watched(*records):
    watching = Gallery()
    for each in records:
        watching.watch(each)
    return watching


def test_only_what_is_wrong_or_tied_is_kept():
    found = watched(
        record(RIGHT, id="right"),
        record(WRONG, id="wrong"),
        record([0.5, 0.5], id="tie"),
        Record(short([0.5])),
        Record({"image": "a", "caption": "no scores"}),
    )
    assert [(f.record.id, f.status) for f in found.failures()] == [
        ("wrong", "wrong"),
        ("tie", "tie"),
    ]
    assert found.num_failures == 2


def test_the_worst_of_each_kind_are_kept_in_whatever_order_they_came(monkeypatch):
    monkeypatch.setattr(gallery, "MAX_PER_LABEL", 3)
    records = [record([0, i / 10], [k], id=f"{k}{i}") for k in "ab" for i in range(1, 8)]
    expected = ["a7", "a6", "a5", "b7", "b6", "b5"]
    for ordered in (records, records[::-1]):
        found = watched(*ordered).failures()
        assert [f.record.id for f in found] == expected


def test_the_kind_is_that_of_the_negative_that_scored_highest():
    failure = judge(record([0.2, 0.3, 0.9], ["mild", "bad"], benchmark="b"))
    assert failure.label == ("b", "bad")
    assert failure.margin == pytest.approx(-0.7)


@pytest.mark.parametrize("limit", [1, 2, 5, 8, 30])
def test_places_are_shared_among_the_kinds(limit, monkeypatch):
    monkeypatch.setattr(gallery, "MAX_ITEMS", limit)
    counts = {"a": 1, "b": 9, "c": 3}
    records = [record(WRONG, [k], id=f"{k}{i}") for k, n in counts.items() for i in range(n)]
    found = watched(*records).failures()
    assert len(found) <= limit
    shown = [f.label[1] for f in found]
    if limit >= 3:
        assert set(shown) == {"a", "b", "c"}
    if limit == 30:
        assert len(found) == 13


@pytest.mark.parametrize(
    ("scores", "truth", "margin"),
    [
        ([[0.9, 0.1], [0.2, 0.8]], [[0, 0], [1, 1]], 0.6),
        ([[0.1, 0.9], [0.8, 0.2]], [[0, 1], [1, 0]], 0.6),
        ([[0.9, 0.1], [0.95, 0.8]], [[0, 0], [1, 1]], -0.15),
        ([[0.9, 0.5, 0.7]], [[0, 0], [0, 1]], -0.2),
        ([[0.2], [0.3]], [[0, 0]], -0.1),
    ],
)
def test_a_matching_item_is_judged_by_its_closest_comparison(scores, truth, margin):
    item = Record({**matching("m", scores), "truth": truth})
    assert judge(item).margin == pytest.approx(margin)


def test_prompts_of_one_class_are_judged_by_their_mean():
    scores, prompts = [[0.9, 0.1, 0.8, 0.1]], [[0, 0], [0, 1]]
    item = Record({**matching("m", scores), "truth": prompts})
    assert judge(item).margin == pytest.approx(-0.7)
    assert judge(Record(item | {"prompts_per_class": 2})).margin == pytest.approx(0.05)


def test_an_ordered_item_is_judged_by_its_order():
    item = {**matching("m", [[0.5, 0.9, 0.7]]), "truth": [[0, 0], [0, 1]]}
    assert judge(Record(item | {"ordered": True})).margin == pytest.approx(-0.4)


def test_a_matching_item_with_nothing_to_tell_apart_is_not_judged():
    assert judge(Record(matching("m", [[0.5]]))) is None


def test_of_two_models_the_items_that_flipped_are_shown_with_both_scores():
    a, b = model([1, 1, 0, 0]), model([1, 0, 1, 0])
    report = compare_records(a, b)
    found, count = flips(report["flipped"], map(Record, a), map(Record, b))
    assert [(f.record.id, f.status) for f in found] == [("r1", "lost"), ("r2", "gained")]
    assert count == 2
    assert found[0].other_scores == [RIGHT] and found[0].record["scores"] == [WRONG]


def test_of_very_many_flips_some_from_all_over_are_shown():
    a, b = model([1] * 500), model([0] * 500)
    report = compare_records(a, b)
    found, count = flips(report["flipped"], map(Record, a), map(Record, b))
    ids = {f.record.id for f in found}
    assert len(ids) == 120 and {"r0", "r250"} <= ids and count == 500


def test_a_record_without_an_image_or_a_caption_does_not_end_the_run():
    nameless = record(WRONG, id="x", group="g")
    del nameless["image"]
    silent = record(WRONG, id="y")
    del silent["caption"]
    assert watched(nameless, silent).num_failures == 1
