"""What is kept of a record, and which records are refused."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.errors import InputError
from hnclip_cli.evaluation.tally import Tally
from hnclip_cli.streams.records import Record

few_scores = st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0])  # so that ties are common


def short(scores, kinds=("swap-noun",), **fields):
    negatives = [{"caption": f"negative {i}", "kind": kind} for i, kind in enumerate(kinds)]
    fields = {"image": "a.jpg", "caption": "a cat", **fields}
    return Record({**fields, "negatives": negatives, "scores": scores}, "in.jsonl", 7)


def matching(scores, truth, **fields):
    images = [f"{i}.jpg" for i in range(len(scores))]
    captions = [f"caption {i}" for i in range(len(scores[0]))]
    return Record(
        {"images": images, "captions": captions, "truth": truth, "scores": scores, **fields}
    )


def observe(*records, fields=("kind",)):
    tally = Tally(fields)
    for record in records:
        tally.add(record)
    return tally.finish()


def margins(observations):
    found = observations.margins.items()
    return {name: of.margin.tolist() for (name, rank), of in found if rank == 1}


def labels(observations, field, measure):
    found = observations.labeled(field, measure)
    pairs = [(int(i), "/".join(label)) for label, rows in found.items() for i in rows]
    return sorted(pairs, key=lambda pair: pair[0])


def test_the_short_form_gives_pairs_and_an_item():
    observations = observe(short([[0.5, 0.25, 0.75]], ["a", "b"]))
    assert margins(observations) == {"pair": [0.25, -0.25], "item": [-0.25]}


def test_each_negative_is_compared_with_the_true_caption_of_its_own_item():
    observations = observe(short([[0.5, 0.25, 0.75]], ["a", "b"]), short([[0, 1]]))
    assert margins(observations) == {"pair": [0.25, -0.25, -1.0], "item": [-0.25, -1.0]}
    assert observations.margins["pair", 1].record.tolist() == [0, 0, 1]


@given(st.lists(st.lists(few_scores, min_size=2, max_size=5), min_size=1, max_size=6))
def test_pairs_and_items_agree_with_plain_loops(rows):
    found = observe(*(short([row], ["k"] * (len(row) - 1)) for row in rows)).margins
    expected = [(i, row[0] > negative) for i, row in enumerate(rows) for negative in row[1:]]
    pairs = found["pair", 1]
    assert list(zip(pairs.record, pairs.margin > 0, strict=True)) == expected
    won = [all(row[0] > negative for negative in row[1:]) for row in rows]
    assert (found["item", 1].margin > 0).tolist() == won


def test_a_benchmark_whose_score_has_ranks_keeps_their_margins():
    rows = [short([[0.5, 0.6, 0.4, 0.3]], "abc", benchmark="crepe")]
    rows.append(matching([[0.5, 0.9, 0.7]], [[0, 0]], benchmark="crepe"))
    observations = observe(*rows, short([[1, 0]]))
    at = {rank: observations.pooled(["item", "image_to_text"], rank) for rank in (1, 3, 5)}
    assert at[1].margin.tolist() == [pytest.approx(-0.1), 1.0, pytest.approx(-0.4)]
    assert at[1].record.tolist() == [0, 2, 1] and at[3].record.tolist() == [0, 1]
    assert at[3].margin.tolist() == [pytest.approx(0.2), inf]
    assert at[5].margin.tolist() == [inf, inf]


def test_a_square_whose_truth_is_a_matching_gives_winoground_scores():
    straight = matching([[1.0, 0.25], [0.5, 1.0]], [[0, 0], [1, 1]])
    crossed = matching([[0.25, 1.0], [1.0, 0.5]], [[1, 0], [0, 1]])
    found = margins(observe(straight, crossed))
    assert found == {
        "text": [0.5, 0.5], "image": [0.5, 0.5], "group": [0.5, 0.5],
        "first_caption": [0.5, 0.75], "second_caption": [0.75, 0.5],
        "first_image": [0.75, 0.5], "second_image": [0.5, 0.75],
    }  # fmt: skip


def test_any_other_matching_gives_queries_in_both_directions():
    one_of_three_images = matching([[0.5], [0.75], [0.0]], [[0, 0]])
    two_true_captions = matching([[1.0, 0.25, 0.5]], [[0, 0], [0, 1]])
    assert margins(observe(one_of_three_images, two_true_captions)) == {
        "image_to_text": [0.5],
        "text_to_image": [-0.25],
        "image_to_text_all": [-0.25],
    }


def test_an_ordered_record_has_measures_of_its_own():
    half_truth = matching([[0.5, 0.75, 0.25]], [[0, 1], [0, 0]], ordered=True)
    assert margins(observe(half_truth)) == {"half_truth": [0.5], "ordered": [-0.25]}
    plain = matching([[0.5, 0.75, 0.25]], [[0, 1], [0, 0]], ordered=False)
    assert "half_truth" not in margins(observe(plain))


@pytest.mark.parametrize(
    ("change", "scores"),
    [
        ({"ordered": "yes"}, [[1, 0]]),
        ({"truth": [[0, 1]]}, [[1, 0]]),
        ({"images": ["a", "b"]}, [[1, 0], [1, 0]]),
        ({"captions": ["a"]}, [[1]]),
    ],
)
def test_an_order_that_does_not_fit_is_a_bad_record(change, scores):
    record = {"images": ["a"], "captions": ["a", "b"], "truth": [[0, 0]], "ordered": True}
    with pytest.raises(InputError, match='field "ordered" does not fit'):
        observe(Record(record | change | {"scores": scores}))


def test_a_square_with_other_truth_is_no_winoground_item():
    assert list(margins(observe(matching([[1, 0], [0, 0]], [[0, 0]])))) == [
        "image_to_text",
        "text_to_image",
    ]


def test_a_record_that_tells_nothing_apart_is_counted():
    observations = observe(short([[0.5]], []), matching([[0.5]], [[0, 0]]), short([[1, 0]]))
    assert (len(observations.clusters), observations.num_unmeasured) == (3, 2)
    assert margins(observations) == {"pair": [1.0], "item": [1.0]}


def test_kinds_label_pairs_and_other_fields_label_records():
    observations = observe(
        short([[1, 0, 0]], ["a", "b"], subset="x"),
        short([[1, 0]], ["b"]),
        short([[1, 0]], ["a"], subset="y", benchmark="bench"),
        fields=["kind", "subset"],
    )
    assert labels(observations, "kind", "pair") == [(0, "a"), (1, "b"), (2, "b"), (3, "a")]
    assert labels(observations, "kind", "item") == []
    assert labels(observations, "subset", "pair") == [(0, "/x"), (1, "/x"), (3, "bench/y")]
    assert labels(observations, "subset", "item") == [(0, "/x"), (2, "bench/y")]


def test_labels_of_records_without_the_measure_are_left_out():
    observations = observe(
        matching([[1.0, 0.0], [0.0, 1.0]], [[0, 0], [1, 1]], subset="x"),
        short([[1, 0]], subset="y"),
        fields=["subset"],
    )
    assert labels(observations, "subset", "item") == [(0, "/y")]
    assert labels(observations, "subset", "text") == [(0, "/x")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", ["x"]),
        (["x", "y", "x"], ["x", "y"]),
        ({"object": "dog", "size": ["big", 2]}, ["object=dog", "size=big", "size=2"]),
        (True, ["true"]),
        (1.5, ["1.5"]),
        (None, []),
        ([], []),
    ],
)
def test_a_label_can_be_any_value(value, expected):
    observations = observe(short([[1, 0]], tags=value), fields=["tags"])
    found = labels(observations, "tags", "item")
    assert [text for _, text in found] == expected


@pytest.mark.parametrize(
    ("scores", "got"),
    [
        ([[0.5]], "got 1 × 1"),
        ([[0.5, 0.5, 0.5]], "got 1 × 3"),
        ([[0.5, 0.5], [0.5, 0.5]], "got 2 × 2"),
        ([[0.5, 0.5], [0.5]], "got rows of 1 to 2 columns"),
        ([], "got 0 × 0"),
        ([0.5, 0.5], "got [0.5, 0.5]"),
        (0.5, "got 0.5"),
        (None, "got null"),
        ("0.5", 'got "0.5"'),
        ({"a": "b" * 100}, "got {"),
    ],
)
def test_scores_of_the_wrong_shape_are_refused(scores, got):
    with pytest.raises(InputError) as caught:
        observe(short(scores, id="r7"))
    message = str(caught.value)
    assert message.startswith('in.jsonl:7: record "r7": field "scores" has the wrong shape; got ')
    assert got in message
    assert "expected 1 × 2, a row an image, a column a caption" in message


@pytest.mark.parametrize(
    ("bad", "shown"),
    [
        (None, "null"),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        ("0.5", '"0.5"'),
        (True, "true"),
        (10**400, "1000"),
        ([0.5], "[0.5]"),
    ],
)
def test_a_score_that_is_no_finite_number_is_refused(bad, shown):
    with pytest.raises(InputError) as caught:
        observe(short([[0.5, bad]]))
    message = str(caught.value)
    assert message.startswith(f"in.jsonl:7: a score is not a finite number; got {shown}")
    assert "in column 1, expected a number" in message


def test_an_id_that_is_no_string_does_not_hide_the_real_fault():
    with pytest.raises(InputError, match=r"^in.jsonl:7: a score is not a finite number"):
        observe(short([[0.5, None]], id=7))


def test_missing_scores_name_the_command_that_adds_them():
    record = short([[1, 0]])
    del record["scores"]
    with pytest.raises(InputError, match=r'^in.jsonl:7: missing field "scores".*try hnclip score$'):
        observe(record)


def test_a_refused_record_leaves_no_trace():
    tally = Tally(["kind", "subset"])
    for bad in (short([[0.5, None]], subset="x"), short([[1, 0]], subset="x", group=3)):
        with pytest.raises(InputError):
            tally.add(bad)
    tally.add(short([[1, 0]], ["b"], subset="y"))
    observations = tally.finish()
    assert len(observations.clusters) == 1
    assert labels(observations, "kind", "pair") == [(0, "b")]
    assert labels(observations, "subset", "item") == [(0, "/y")]


def test_records_of_one_image_are_one_cluster():
    observations = observe(
        short([[1, 0]], image="a.jpg"),
        short([[1, 0]], image="b.jpg"),
        short([[1, 0]], image="a.jpg"),
        short([[1, 0]], image="c.jpg", group="b.jpg"),
        matching([[1, 0]], [[0, 0]], id="m"),
    )
    first, second, third, fourth, fifth = observations.clusters.tolist()
    assert first == third and second == fourth
    assert len({first, second, fifth}) == 3
