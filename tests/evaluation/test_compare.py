"""Several models on the same records, against plain loops."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnclip_cli.errors import HnclipError
from hnclip_cli.evaluation.compare import compare
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from tests.conftest import to_lines
from tests.evaluation.test_report import short
from tests.evaluation.test_tree_of_means import RIGHT, WRONG


def compare_records(*runs, on_error="fail", **options):
    policy = ErrorPolicy(on_error)
    readers = [
        RecordReader(io.BytesIO(to_lines(*records)), f"{letter}.jsonl", policy)
        for records, letter in zip(runs, "abcd", strict=False)
    ]
    return compare(readers, policy=policy, **{"rounds": 50, **options})


def model(rights, **fields):
    return [
        short(RIGHT if right else WRONG, id=f"r{i}", image=f"{i}.jpg", **fields)
        for i, right in enumerate(rights)
    ]


def test_the_difference_and_the_items_that_flipped():
    a = model([1, 1, 0, 0, 0], benchmark="sugarcrepe", subset="swap_obj")
    b = model([1, 0, 1, 1, 0], benchmark="sugarcrepe", subset="swap_obj")
    report = compare_records(a, b)
    entry = report["accuracy"]["item"]
    assert (entry["a"], entry["b"]) == (0.4, 0.6)
    assert entry["difference"] == pytest.approx(0.2)
    counts = ("both_right", "only_a_right", "only_b_right", "both_wrong")
    assert [entry[key] for key in counts] == [1, 1, 2, 1]
    assert report["flipped"]["item"] == {"gained": ["r2", "r3"], "lost": ["r1"]}
    assert report["by"]["subset"]["swap_obj"]["item"] == entry | {
        "key": "sugarcrepe.swap_obj.accuracy"
    }
    official = report["benchmarks"]["sugarcrepe"]["accuracy, mean of 1 forms"]
    assert official["difference"] == pytest.approx(0.2)


def test_the_second_model_need_not_say_of_which_benchmark_its_records_are():
    a = model([1, 0, 1], benchmark="crepe", subset="atom")
    bare = compare_records(a, model([1, 1, 1]))["benchmarks"]["crepe"]
    named = compare_records(a, model([1, 1, 1], benchmark="crepe"))["benchmarks"]["crepe"]
    assert "R@3, micro" in bare and bare == named


def test_the_interval_of_the_difference_is_that_of_a_paired_bootstrap():
    rng = np.random.default_rng(0)
    first = rng.random(60) < 0.5
    second = np.where(rng.random(60) < 0.8, first, ~first)
    report = compare_records(model(first), model(second), rounds=4000)
    change = second.astype(int) - first
    draws = [change[rng.integers(60, size=60)].mean() for _ in range(4000)]
    assert report["accuracy"]["item"]["interval"] == pytest.approx(
        np.quantile(draws, [0.025, 0.975]), abs=0.02
    )


def test_plain_dicts_are_compared_under_names_of_ones_own():
    a, b = model([1, 0]), model([1, 1])
    report = compare([a, iter(b)], names=["before", "after"], rounds=50)
    assert report == compare_records(a, b) | {"a": "before", "b": "after"}
    assert compare([a, b])["b"] == "records 2"


def test_a_model_against_itself_has_no_difference_and_no_doubt():
    a = model([1, 0, 1, 0])
    entry = compare_records(a, a)["accuracy"]["pair"]
    assert (entry["difference"], entry["interval"]) == (0.0, [0.0, 0.0])


@settings(max_examples=25)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=8), st.randoms())
def test_the_order_of_the_second_file_does_not_matter(outcomes, random):
    a = model([first for first, _ in outcomes])
    b = model([second for _, second in outcomes], subset="x")
    expected = compare_records(a, b)
    random.shuffle(b)
    assert compare_records(a, b) == expected
    # Labels are those of the first file.
    assert "subset" not in expected.get("by", {})


def matching(name, scores):
    shape = {
        "images": [f"{i}" for i in range(len(scores))],
        "captions": [f"c{i}" for i in range(len(scores[0]))],
    }
    truth = [[0, 0], [1, 1]] if len(scores) == 2 else [[0, 0]]
    return {"id": name, **shape, "truth": truth, "scores": scores}


def test_every_form_of_record_is_brought_into_order():
    kinds = ["a", "b"]
    records = [
        short([0.5, 0.1, 0.9], kinds, id="s1"),
        matching("m1", [[0.9, 0.1], [0.1, 0.9]]),
        short([0.5, 0.1, 0.2], kinds, id="s2"),
        matching("q1", [[0.5, 0.7, 0.1]]),
        matching("m2", [[0.1, 0.9], [0.9, 0.1]]),
        matching("q2", [[0.5, 0.2, 0.1]]),
    ]
    report = compare_records(records, records[::-1])
    flat = {**report["accuracy"], **report["matching"]}
    assert all(entry["difference"] == 0 for entry in flat.values())
    assert flat["pair"]["a"] == 0.75 and flat["group"]["a"] == flat["image_to_text"]["a"] == 0.5
    kinds_found = {name: entry["pair"]["a"] for name, entry in report["by"]["kind"].items()}
    assert kinds_found == {"a": 1.0, "b": 0.5}


def test_unpaired_records_are_counted_and_named():
    a, b = model([1, 0, 1]), model([1, 0, 1, 0])[1:]
    report = compare_records(a, b)
    assert report["records"] == 2
    assert report["unpaired"] == {
        "a": {"records": 1, "ids": ["r0"]},
        "b": {"records": 1, "ids": ["r3"]},
    }


def test_the_second_record_of_an_id_belongs_to_the_second():
    a = [short(RIGHT, id="x"), short(WRONG, id="x")]
    report = compare_records(a, a)
    assert (report["records"], report["accuracy"]["item"]["both_right"]) == (2, 1)


def test_one_id_on_two_items_is_an_error():
    a, b = short(RIGHT, id="x"), short(RIGHT, id="x", caption="another")
    with pytest.raises(HnclipError, match=r'^b.jsonl: record "x" is not the same item in both'):
        compare_records([a], [b])


@pytest.mark.parametrize(("a", "b"), [([], []), (model([1]), []), ([], model([1]))])
def test_nothing_in_both_files_is_an_error(a, b):
    with pytest.raises(HnclipError, match="nothing to compare"):
        compare_records(a, b)


def test_a_bad_record_of_either_file_is_named_or_skipped():
    bad = short([0.5, None], id="bad")
    with pytest.raises(HnclipError, match=r"^b.jsonl:2: .*not a finite number"):
        compare_records(model([1]), [*model([1]), bad])
    report = compare_records([*model([1]), bad], [*model([1]), bad], on_error="skip")
    assert (report["records"], report["skipped"]) == (1, 2)
