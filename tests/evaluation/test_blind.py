"""What text alone achieves."""

import io

import pytest

from hnclip_cli.errors import HnclipError
from hnclip_cli.evaluation import blind
from hnclip_cli.evaluation.blind import BlindBaseline, captions_of, fold, true_captions
from hnclip_cli.evaluation.report import evaluate
from hnclip_cli.language.ngram import TrigramModel
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.streams.records import Record
from tests.conftest import to_lines

ANIMALS = ["dog", "cat", "horse", "cow", "sheep", "bird", "bear", "zebra"]


def evaluate_blind(*records, scorer=None, on_error="fail"):
    policy = ErrorPolicy(on_error)
    reader = RecordReader(io.BytesIO(to_lines(*records)), "in.jsonl", policy)
    blind = BlindBaseline("a model", scorer) if scorer else "trigrams"
    return evaluate(reader, rounds=20, blind=blind, policy=policy)


def record(number, caption, *negatives, **fields):
    return {
        "id": f"r{number}",
        "image": f"{number}.jpg",
        "caption": caption,
        "negatives": [{"caption": text, "kind": "k"} for text in negatives],
        "scores": [[0.0, *range(1, len(negatives) + 1)]],  # the model itself is always wrong
        **fields,
    }


def garbled(count=40):
    """Negatives that no grammar would allow."""
    return [
        record(i, f"a {animal} sits on the grass", f"grass the on sits {animal} a")
        for i, animal in ((i, ANIMALS[i % len(ANIMALS)] + "s" * (i // 8)) for i in range(count))
    ]


def test_negatives_that_give_themselves_away_are_found_out():
    report = evaluate_blind(*garbled())
    assert report["accuracy"]["pair"]["value"] == 0.0
    blind = report["accuracy"]["pair"]["blind"]
    assert (blind["value"], blind["interval"], blind["num_ties"]) == (1.0, [1.0, 1.0], 0)
    assert report["by"]["kind"]["k"]["pair"]["blind"] == blind
    assert report["blind"] == {"model": "trigrams", "folds": 5, "captions": 40}


def test_a_tie_is_half_right():
    """Texts that differ in case alone are the same to the trigrams."""
    report = evaluate_blind(record(0, "a dog", "A Dog"), record(1, "a cat", "A CAT"))
    assert report["accuracy"]["item"]["blind"] == {
        "value": 0.5,
        "interval": [0.5, 0.5],
        "num_ties": 2,
    }


def test_the_scores_are_those_of_models_that_read_the_other_folds_only():
    records = [
        Record(r) for r in [*garbled(20), record(90, "a dog sits on the grass", "no", image="z")]
    ]
    baseline = BlindBaseline()
    for each in records:
        baseline.add(each)
    observations = baseline.finish([])
    expected = []
    for each in records:
        mine = {c for r in records if fold(r) == fold(each) for c in true_captions(r)}
        model = TrigramModel.fit(
            c for r in records if fold(r) != fold(each) for c in true_captions(r) if c not in mine
        )
        true, *false = map(model.log_probability, captions_of(each))
        expected += [true - score for score in false]
    assert observations.margins["pair", 1].margin.tolist() == expected


def test_records_of_one_image_are_in_one_fold_whatever_their_form_and_group():
    short = Record(record(0, "a dog", "a cat"))
    grouped = Record(record(0, "a dog", "a cat", group="other"))
    matching = Record({"images": ["0.jpg"], "captions": ["c", "d"], "truth": [[0, 0]]})
    assert fold(short) == fold(grouped) == fold(matching)
    assert len({fold(Record(record(i, "a"))) for i in range(50)}) == 5


def length(texts):
    return [float(len(text)) for text in texts]


def test_measures_that_only_an_image_decides_have_nothing_beside_them():
    square = {
        "id": "s", "images": ["0", "1"], "captions": ["c", "d"], "truth": [[0, 0], [1, 1]],
        "scores": [[1, 0], [0, 1]], "benchmark": "winoground",
    }  # fmt: skip
    query = {
        "id": "q", "images": ["0"], "captions": ["long", "longer", "l"],
        "truth": [[0, 0], [0, 1]], "scores": [[0, 0, 1]],
    }  # fmt: skip
    report = evaluate_blind(square, query, record(0, "cc", "c", "ccc"), scorer=length)
    assert "blind" not in report["matching"]["group"]
    assert "blind" not in report["benchmarks"]["winoground"]["text score"]
    assert report["matching"]["image_to_text_all"]["blind"]["value"] == 1.0
    assert report["accuracy"]["pair"]["blind"]["value"] == 0.5
    assert report["accuracy"]["item"]["blind"]["value"] == 0.0
    assert report["blind"] == {"model": "a model"}


def test_many_records_are_scored_in_batches_in_their_order():
    records = [record(i, "c" * (i % 7 + 1), "c" * (i % 5 + 1)) for i in range(150)]
    report = evaluate_blind(*records, scorer=length)
    longer = [i % 7 > i % 5 for i in range(150)]
    same = [i % 7 == i % 5 for i in range(150)]
    expected = (sum(longer) + sum(same) / 2) / 150
    assert report["accuracy"]["pair"]["blind"]["value"] == expected


def test_a_record_without_a_caption_is_named_or_skipped():
    bad = record(0, "", "x")
    with pytest.raises(HnclipError, match=r'^in.jsonl:1: field "caption" is empty'):
        evaluate_blind(bad)
    report = evaluate_blind(bad, record(1, "a dog", "a cat"), on_error="skip")
    assert (report["records"], report["skipped"]) == (1, 1)


def test_a_number_does_not_depend_on_the_benchmarks_beside_it():
    def of(name, records):
        return [fields | {"benchmark": name, "id": f"{name}{fields['id']}"} for fields in records]

    one = of("one", [record(i, f"a {a} runs", f"a {a} ran runs") for i, a in enumerate(ANIMALS)])
    other = of("other", [record(i, f"ran {a} runs", f"a {a} runs") for i, a in enumerate(ANIMALS)])
    alone = evaluate_blind(*one)["by"]["benchmark"]["one"]["pair"]
    mixed = [fields for pair in zip(one, other, strict=True) for fields in pair]
    report = evaluate_blind(*mixed)
    assert report["by"]["benchmark"]["one"]["pair"] == alone
    assert report["by"]["benchmark"]["other"]["pair"]["blind"]["value"] > 0.5
    assert report["blind"]["benchmarks"] == 2


def test_more_benchmarks_than_files_may_be_open_are_measured_all_the_same(monkeypatch):
    monkeypatch.setattr(blind, "MAX_BENCHMARKS", 2)
    report = evaluate_blind(*(f | {"benchmark": f["id"]} for f in garbled(6)))
    assert report["records"] == 6 and report["blind"]["benchmarks"] == 2
