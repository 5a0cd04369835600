"""The whole report against a straightforward script, and retrieval against its definition."""

import io
from collections import defaultdict

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli import __version__
from hnclip_cli.errors import HnclipError
from hnclip_cli.evaluation.pages.report import format_html
from hnclip_cli.evaluation.report import evaluate
from hnclip_cli.evaluation.table import format_table, summary
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.streams.npy import Rows
from tests.conftest import to_lines

score = st.sampled_from([0.0, 0.25, 0.25 + 1e-5, 0.5, 1.0])


def evaluate_lines(lines, on_error="fail", **options):
    policy = ErrorPolicy(on_error)
    reader = RecordReader(io.BytesIO(lines), "in.jsonl", policy)
    return evaluate(reader, policy=policy, **{"rounds": 50, **options})


def evaluate_records(*records, **options):
    return evaluate_lines(to_lines(*records), **options)


def npy(rows, dtype="float32"):
    stream = io.BytesIO()
    np.save(stream, np.asarray(rows, dtype=dtype))
    stream.seek(0)
    return Rows.from_npy(stream, "rows.npy")


def short(scores, kinds=None, **fields):
    kinds = kinds or ["swap-noun"] * (len(scores) - 1)
    negatives = [{"caption": f"negative {i}", "kind": kind} for i, kind in enumerate(kinds)]
    base = {"image": "a.jpg", "caption": "a cat", "negatives": negatives, "scores": [scores]}
    return {**base, **fields}


@st.composite
def records(draw):
    kinds = draw(st.lists(st.sampled_from(["swap-noun", "negate"]), max_size=3))
    record = short(
        draw(st.lists(score, min_size=1 + len(kinds), max_size=1 + len(kinds))),
        kinds,
        image=draw(st.sampled_from(["a.jpg", "b.jpg", "c.jpg"])),
    )
    if not kinds:
        record["negatives"] = []
    for field in ("benchmark", "subset"):
        value = draw(st.sampled_from([None, "x", "y"]))
        if value:
            record[field] = value
    return record


def plain_script(records):
    """Pair and item outcomes, overall and by field, with nothing but loops."""
    found = defaultdict(list)
    for record in records:
        true, *negatives = record["scores"][0]
        for negative, score in zip(record["negatives"], negatives, strict=True):
            for key in [("pair",), *places(record, "pair"), ("kind", negative["kind"], "pair")]:
                found[key].append(true - score)
        if negatives:
            for key in [("item",), *places(record, "item")]:
                found[key].append(true - max(negatives))
    return {
        key: {
            "value": sum(m > 0 for m in margins) / len(margins),
            "n": len(margins),
            "num_ties": sum(m == 0 for m in margins),
            "num_near_ties": sum(0 < abs(m) <= 1e-4 for m in margins),
        }
        for key, margins in found.items()
    }


def places(record, measure):
    return [(f, record[f], measure) for f in ("benchmark",) if f in record]


def flattened(report):
    entries = {(measure,): entry for measure, entry in report["accuracy"].items()}
    for field in ("kind", "benchmark"):
        for label, measures in report.get("by", {}).get(field, {}).items():
            for measure, entry in measures.items():
                entries[(field, label, measure)] = entry
    keys = ("value", "n", "num_ties", "num_near_ties")
    return {place: {key: entry[key] for key in keys} for place, entry in entries.items()}


@given(st.lists(records(), min_size=1, max_size=12))
def test_every_count_is_that_of_a_plain_script(records):
    expected = plain_script(records)
    if not expected:
        with pytest.raises(HnclipError, match="nothing to measure"):
            evaluate_records(*records)
        return
    report = evaluate_records(*records)
    assert flattened(report) == expected
    assert report["unmeasured"] == sum(not record["negatives"] for record in records)


@given(st.lists(records(), min_size=1, max_size=8), st.randoms())
def test_the_order_of_the_records_does_not_matter(records, random):
    if any(record["negatives"] for record in records):
        first = evaluate_records(*records)
        random.shuffle(records)
        assert orjson.dumps(evaluate_records(*records)) == orjson.dumps(first)


def keys_taken(section):
    """The keys of all entries, taken out of them."""
    if "value" in section:
        return [section.pop("key")]
    return [key for of in section.values() if isinstance(of, dict) for key in keys_taken(of)]


def test_the_report_of_one_item_has_every_key_and_no_interval():
    report = evaluate_records(short([0.5, 0.25], subset="x", benchmark="bench"))
    entry = {
        "value": 1.0,
        "interval": None,
        "n": 1,
        "num_groups": 1,
        "num_ties": 0,
        "num_near_ties": 0,
    }
    average = {
        "micro": {"value": 1.0, "interval": None, "n": 1},
        "macro over subsets": {"value": 1.0, "interval": None, "num_subsets": 1},
    }
    both = {"pair": entry, "item": entry}
    run = report.pop("run")
    assert (run["hnclip"], len(run["items"])) == (__version__, 32)
    assert keys_taken(report) == [
        "all.pair_accuracy", "all.accuracy", "kind=swap-noun.pair_accuracy",
        "bench.pair_accuracy", "bench.accuracy", "bench.x.pair_accuracy", "bench.x.accuracy",
        "bench.micro_of_subsets.pair_accuracy", "bench.macro_of_subsets.pair_accuracy",
        "bench.micro_of_subsets.accuracy", "bench.macro_of_subsets.accuracy",
    ]  # fmt: skip
    assert report == {
        "records": 1,
        "skipped": 0,
        "unmeasured": 0,
        "accuracy": both,
        "by": {
            "kind": {"swap-noun": {"pair": entry}},
            "benchmark": {"bench": both},
            "subset": {"x": both},
        },
        "averages": {"bench": {"pair": average, "item": average}},
        "bootstrap": {"rounds": 50, "level": 0.95, "seed": 0, "resampled": "image groups"},
        "ties": {"counted_as": "wrong", "near_within": 0.0001},
    }


def test_false_captions_that_the_model_cannot_tell_from_true_ones_are_counted_apart():
    report = evaluate_records(
        short([0.5, 0.5], same_tokens=[1]), short([0.5, 0.2, 0.5], same_tokens=[2])
    )
    assert report["same_tokens"] == report["accuracy"]["pair"]["num_ties"] == 2
    assert "2 false captions with the tokens of true ones" in summary(report)
    assert "same_tokens" not in evaluate_records(short([0.5, 0.5]))


def test_all_ties_are_all_wrong():
    report = evaluate_records(*[short([0.5, 0.5, 0.5], image=f"{i}.jpg") for i in range(4)])
    assert report["accuracy"]["pair"]["value"] == 0.0
    assert report["accuracy"]["pair"]["interval"] == [0.0, 0.0]
    assert report["accuracy"]["pair"]["num_ties"] == 8
    assert report["accuracy"]["item"]["num_ties"] == 4


def test_the_macro_average_is_the_mean_of_the_subsets_and_micro_pools_their_items():
    right, wrong = [1.0, 0.0], [0.0, 1.0]
    report = evaluate_records(
        *[short(right, benchmark="b", subset="big", image=f"{i}.jpg") for i in range(8)],
        *[short(wrong, benchmark="b", subset="small", image=f"{i}.jpg") for i in range(2)],
        short(right, benchmark="other", subset="big"),
        short(right, subset="big"),
        short(wrong, benchmark="b"),  # in no subset, so in no average
    )
    average = report["averages"]["b"]["item"]
    assert average["micro"]["value"] == 0.8
    assert average["micro"]["n"] == 10
    assert average["macro over subsets"]["value"] == 0.5
    assert average["macro over subsets"]["num_subsets"] == 2
    assert list(report["averages"]) == ["(no benchmark)", "b", "other"]


def test_a_subset_name_that_two_benchmarks_share_is_told_apart():
    report = evaluate_records(
        short([1, 0], benchmark="a", subset="existence"),
        short([0, 1], benchmark="b", subset="existence"),
        short([1, 0], benchmark="b", subset="count"),
    )
    values = {name: entry["item"]["value"] for name, entry in report["by"]["subset"].items()}
    assert values == {"a/existence": 1.0, "b/existence": 0.0, "count": 1.0}


def test_matching_items_have_their_own_section_and_their_own_breakdown():
    square = {
        "images": ["0", "1"],
        "captions": ["c", "d"],
        "truth": [[0, 0], [1, 1]],
        "subset": "x",
    }
    report = evaluate_records(
        {**square, "id": "1", "scores": [[0.9, 0.8], [0.1, 0.2]]},
        {**square, "id": "2", "scores": [[0.9, 0.1], [0.1, 0.9]]},
        by=["subset", "kind", "tags"],
    )
    assert "accuracy" not in report
    values = {name: entry["value"] for name, entry in report["matching"].items()}
    assert values == {"text": 1.0, "image": 0.5, "group": 0.5}
    assert report["by"].keys() == {"subset"}
    assert report["by"]["subset"]["x"]["group"]["n"] == 2


def test_plain_dicts_and_arrays_give_the_same_report():
    records = [short([1, 0], image="a"), short([0, 1], image="b"), *pairs("c")]
    rows = np.random.default_rng(0).standard_normal((3, 4))
    expected = evaluate_records(*records, image_embeddings=npy(rows), caption_embeddings=npy(rows))
    found = evaluate(
        (dict(record) for record in records), image_embeddings=rows, caption_embeddings=rows,
        rounds=50,
    )  # fmt: skip
    assert found == expected
    with pytest.raises(HnclipError, match=r'^records:2: missing field "scores"'):
        evaluate([records[0], {"image": "b", "caption": "c"}])
    with pytest.raises(HnclipError, match=r"^records: nothing to measure"):
        evaluate([])


@pytest.mark.parametrize("lines", [b"", b"\n\n", to_lines(short([0.5]))])
def test_nothing_to_measure_is_an_error(lines):
    with pytest.raises(HnclipError, match=r"^in.jsonl: nothing to measure; got \d records?, "):
        evaluate_lines(lines)


def test_skipped_records_are_counted_in_the_report():
    lines = b"broken\n" + to_lines(short([0.5, None]), short([0.5, 0.25]))
    report = evaluate_lines(lines, on_error="skip")
    assert (report["records"], report["skipped"]) == (1, 2)


def pairs(*images):
    return [{"image": image, "caption": f"caption {i}"} for i, image in enumerate(images)]


def test_retrieval_takes_the_first_row_of_a_group_as_its_image():
    images = [[2, 0, 0], [0, 9, 9], [0, 3, 0], [0, 0, 4]]  # row 1 is not used: same image as row 0
    captions = [[1, 0, 0], [0, 1, 1], [0, 1, 0], [0, 1, 1]]
    report = evaluate_records(
        *pairs("a", "a", "b", "c"),
        image_embeddings=npy(images),
        caption_embeddings=npy(captions, "float16"),
    )
    assert report.keys() == {
        "run",
        "records",
        "skipped",
        "unmeasured",
        "retrieval",
        "bootstrap",
        "ties",
    }
    to_text = report["retrieval"]["image_to_text"]
    to_image = report["retrieval"]["text_to_image"]
    # Image c ties between captions 1 (of image a) and 3: the lower index comes first.
    assert (to_text["R@1"], to_text["R@5"], to_text["n"]) == (2 / 3, 1.0, 3)
    assert to_text["num_ties"] == 1
    # Caption 1 prefers b and c to a; caption 3 ties between b and c.
    assert (to_image["R@1"], to_image["n"]) == (0.5, 4)
    assert to_image["num_ties"] == 1
    assert to_image["intervals"].keys() == {"R@1", "R@5", "R@10"}


def test_retrieval_recalls_are_those_of_the_full_matrix():
    rng = np.random.default_rng(0)
    names = [f"{i % 40}.jpg" for i in range(120)]
    images = rng.standard_normal((40, 16))
    captions = images[np.arange(120) % 40] + 1.5 * rng.standard_normal((120, 16))
    report = evaluate_records(
        *pairs(*names),
        image_embeddings=npy(images[np.arange(120) % 40]),
        caption_embeddings=npy(captions),
    )
    scores = captions @ (images / np.linalg.norm(images, axis=1, keepdims=True)).T
    scores /= np.linalg.norm(captions, axis=1, keepdims=True)
    order = np.argsort(-scores, axis=1)
    for k in (1, 5, 10):
        hit = [i % 40 in order[i, :k] for i in range(120)]
        assert report["retrieval"]["text_to_image"][f"R@{k}"] == np.mean(hit)
        top = np.argsort(-scores.T, axis=1)[:, :k]
        hit = [(top[i] % 40 == i).any() for i in range(40)]
        assert report["retrieval"]["image_to_text"][f"R@{k}"] == np.mean(hit)


def test_with_embeddings_the_scores_that_are_there_count_too():
    rows = np.eye(2)
    report = evaluate_records(
        short([1, 0], image="a"),
        *pairs("b"),
        image_embeddings=npy(rows),
        caption_embeddings=npy(rows),
    )
    assert report["accuracy"]["item"]["n"] == 1
    assert report["retrieval"]["image_to_text"]["n"] == 2
    with pytest.raises(HnclipError, match="wrong shape"):
        evaluate_records(
            short([1], ["swap-noun"]),
            image_embeddings=npy(rows[:1]),
            caption_embeddings=npy(rows[:1]),
        )


@pytest.mark.parametrize("bad", [[np.nan, 0], [np.inf, 0], [0, 0]])
def test_a_row_without_direction_names_its_record_or_skips_it(bad):
    lines = to_lines(*pairs("a", "b", "b", "c"))
    images = [[1, 0], bad, [0, 1], [1, 1]]
    captions = [[1, 0], [1, 0], [0, 1], [1, 1]]
    with pytest.raises(HnclipError, match=r'^in.jsonl:2: record "\w+": its image embedding cannot'):
        evaluate_lines(lines, image_embeddings=npy(images), caption_embeddings=npy(captions))
    report = evaluate_lines(
        lines,
        on_error="skip",
        image_embeddings=npy(images),
        caption_embeddings=npy(captions),
    )
    assert report["skipped"] == 1
    # The next good row of the group stands for its image.
    assert report["retrieval"]["text_to_image"]["R@1"] == 1.0
    assert report["retrieval"]["text_to_image"]["n"] == 3


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_broken_line_has_a_row_like_any_other(position):
    good = to_lines(*pairs("a", "b")).splitlines(keepends=True)
    lines = b"".join([*good[:position], b"broken\n", *good[position:]])
    rows = np.insert(np.eye(2), position, [np.nan, np.nan], axis=0)
    report = evaluate_lines(
        lines, on_error="skip", image_embeddings=npy(rows), caption_embeddings=npy(rows)
    )
    assert report["retrieval"]["image_to_text"]["R@1"] == 1.0
    assert report["skipped"] == 1


@pytest.mark.parametrize(("num_rows", "words"), [(1, "too few rows"), (3, "does not belong")])
@pytest.mark.parametrize("which", ["image_embeddings", "caption_embeddings"])
def test_rows_must_be_as_many_as_records(num_rows, words, which):
    arrays = {"image_embeddings": npy(np.eye(2)), "caption_embeddings": npy(np.eye(2))}
    with pytest.raises(HnclipError, match=f"rows.npy: the array .*{words}"):
        evaluate_records(*pairs("a", "b"), **{**arrays, which: npy(np.ones((num_rows, 2)))})


def test_embeddings_of_different_models_are_refused():
    with pytest.raises(HnclipError, match=r"lengths; got .*: 2, .*: 3; try embedding all"):
        evaluate_records(
            *pairs("a"),
            image_embeddings=npy(np.ones((1, 2))),
            caption_embeddings=npy(np.ones((1, 3))),
        )


def test_a_matching_item_has_no_place_in_retrieval():
    item = {"images": ["a"], "captions": ["c", "d"], "truth": [[0, 0]]}
    with pytest.raises(HnclipError, match="retrieval needs records of one image, or one"):
        evaluate_records(item, image_embeddings=npy([[1]]), caption_embeddings=npy([[1], [1]]))


def test_no_records_and_no_rows_are_nothing_to_measure():
    with pytest.raises(HnclipError, match="nothing to measure"):
        evaluate_lines(
            b"", image_embeddings=npy(np.ones((0, 4))), caption_embeddings=npy(np.ones((0, 4)))
        )


def test_intervals_of_no_width_are_named_in_every_output():
    """All right: no resampling differs, whatever the number of records."""
    records = [
        {"id": str(i), "image": str(i), "caption": "a", "scores": [[1.0, 0.0]],
         "negatives": [{"caption": "b", "kind": kind}]}
        for i, kind in enumerate("xxyy")
    ]  # fmt: skip
    records[0]["scores"] = [[0.0, 1.0]]
    report = evaluate(records, rounds=50)
    entry = report["by"]["kind"]["y"]["pair"]
    assert entry["interval"] == [1.0, 1.0]
    assert entry["key"] in report["bootstrap"]["without_width"]
    assert report["accuracy"]["pair"]["key"] not in report["bootstrap"]["without_width"]
    for output in (format_table(report), format_html(report, [], 0, ".", print)):
        assert "Intervals of no width (" in output and entry["key"] in output
    sure = evaluate(records[:2], rounds=50)
    assert "without_width" not in sure["bootstrap"] and "no width" not in format_table(sure)


@pytest.mark.parametrize(("negatives", "has_chance"), [(1, True), (2, False)])
def test_official_scores_of_pairs_have_a_line_of_chance(negatives, has_chance):
    records = [
        {"id": str(i), "image": str(i), "caption": "a", "scores": [[1.0, *[0.0] * negatives]],
         "benchmark": "sugarcrepe", "subset": "swap_obj",
         "negatives": [{"caption": "b", "kind": "x"}] * negatives}
        for i in range(3)
    ]  # fmt: skip
    page = format_html(evaluate(records, rounds=0), [], 0, ".", print)
    _, _, official = page.partition("Official scores of sugarcrepe</h3>")
    assert ('class="chance"' in official.partition("</table>")[0]) == has_chance
