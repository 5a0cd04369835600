"""What each edit changed, against scores made by hand."""

import pytest

from hnclip_cli.errors import InputError
from hnclip_cli.scoring.explain import explanation, texts_to_explain
from hnclip_cli.streams.records import Record


def explain(caption, negatives, scores):
    record = Record({"image": "i", "caption": caption, "negatives": negatives}, "x", 3)
    assert {*record.matching.captions, *texts_to_explain(record)} == set(scores)
    return explanation(record, scores)


def test_one_edit_is_the_support_of_the_words_against_that_of_their_replacement():
    negatives = [{"caption": "a blue car", "edits": [[2, 5, "blue"]]}]
    scores = {"a red car": 0.5, "a blue car": 0.75, "a car": 0.25}
    assert explain("a red car", negatives, scores) == [
        {
            "margin": -0.25,
            "decided_by": 0,
            "interaction": 0.0,
            "edits": [
                {
                    "span": [2, 5], "text": "red", "replacement": "blue", "margin": -0.25,
                    "text_support": 0.25, "replacement_support": 0.5,
                }
            ],
        }
    ]  # fmt: skip


SWAP = [{"caption": "a cat chases a dog", "edits": [[15, 18, "dog"], [2, 5, "cat"]]}]


@pytest.mark.parametrize(
    ("cats", "dogs", "decided_by", "interaction"),
    [(0.5, 0.75, 0, 0.0), (0.75, 0.5, 1, 0.0), (1.0, 1.0, None, 0.25), (0.5, 0.5, 0, -0.25)],
)
def test_of_several_edits_the_largest_part_of_the_margin_decides(
    cats, dogs, decided_by, interaction
):
    scores = {
        "a dog chases a cat": 1.0, "a cat chases a dog": 0.75 if interaction >= 0 else 0.25,
        "a cat chases a cat": cats, "a dog chases a dog": dogs,
        "a chases a cat": 0.125, "a dog chases a": 0.375,
    }  # fmt: skip
    if interaction == 0.0:
        scores["a cat chases a dog"] = 0.25
    (found,) = explain("a dog chases a cat", SWAP, scores)
    assert found["decided_by"] == decided_by
    assert found["interaction"] == interaction
    assert found["margin"] == interaction + sum(edit["margin"] for edit in found["edits"])
    assert [edit["text"] for edit in found["edits"]] == ["dog", "cat"]


def test_where_the_negative_wins_the_edit_that_speaks_for_it_decides():
    scores = {
        "a dog chases a cat": 0.5, "a cat chases a dog": 0.75, "a cat chases a cat": 0.25,
        "a dog chases a dog": 1.0, "a chases a cat": 0.0, "a dog chases a": 0.0,
    }  # fmt: skip
    assert explain("a dog chases a cat", SWAP, scores)[0]["decided_by"] == 1


def test_an_inserted_word_has_no_text_to_support():
    negatives = [{"caption": "a red car", "edits": [[2, 2, "red "]]}]
    (found,) = explain("a car", negatives, {"a car": 0.5, "a red car": 0.25})
    assert found["edits"][0]["text_support"] == 0.0
    assert found["edits"][0]["replacement_support"] == -0.25


def test_a_negative_without_edits_has_the_one_that_leads_to_it():
    scores = {"a red car": 0.5, "a blue car": 0.75, "a car": 0.25}
    (found,) = explain("a red car", [{"caption": "a blue car"}], scores)
    assert found["edits"][0]["span"] == [2, 5]


@pytest.mark.parametrize(
    "edits",
    [[], [[2, 5, "green"]], [[2, 50, "blue"]], [[5, 2, "blue"]], [[-7, 5, "blue"]], [[2, 5]], "x",
     [[2.0, 5, "blue"]], [[2, 5, "blue"], [3, 4, "x"]], {}],
)  # fmt: skip
def test_edits_that_do_not_lead_to_the_negative_are_an_error(edits):
    record = {"caption": "a red car", "negatives": [{"caption": "a blue car", "edits": edits}]}
    with pytest.raises(InputError, match="x:3: the edits do not lead from the caption"):
        texts_to_explain(Record(record, "x", 3))


def test_a_record_without_negatives_has_nothing_to_explain():
    assert explain("a car", [], {"a car": 0.5}) == []
    general = Record({"images": ["i"], "captions": ["c"], "truth": [[0, 0]]})
    assert (texts_to_explain(general), explanation(general, {})) == ([], [])
