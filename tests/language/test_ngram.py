import io
import math

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnclip_cli.errors import HnclipError
from hnclip_cli.language.ngram import (
    NUM_FOLDS,
    HeldOut,
    Texts,
    TrigramModel,
    score_in_folds,
    tokenize,
)

CAPTIONS = [
    "A cat sits on a mat.",
    "A cat sits on a bed.",
    "A dog lies on a mat.",
    "Two dogs sit near a red bed",
    "The dog's bowl is red",
]


def saved(model):
    stream = io.BytesIO()
    model.save(stream)
    return stream.getvalue()


def vocabulary(model):
    return [word for word in model._numbers if word not in ("<s>", "</s>")]


def test_tokens_are_lower_case_words_and_marks():
    assert tokenize("The DOG'S bowl, 3-D: été_1!\ud800") == [
        *("the", "dog's", "bowl", ",", "3", "-", "d", ":", "été", "_", "1", "!"),
    ]


@pytest.mark.parametrize("context", [[], ["a"], ["a", "cat"], ["on", "a"], ["a", "zebra"], ["z"]])
def test_the_probabilities_of_all_next_words_add_up_to_one(context):
    model = TrigramModel.fit(CAPTIONS)
    # The last but one is that of the word, the last that of the end after it.
    words = sum(
        math.exp(model.log_probabilities([*context, word])[-2]) for word in vocabulary(model)
    )
    end = math.exp(model.log_probabilities(context)[-1])
    assert words + end == pytest.approx(1)


def test_without_captions_all_words_are_equally_probable():
    assert TrigramModel().log_probabilities(["a", "b"]) == [math.log(1 / 2)] * 3


def test_a_small_corpus_gives_the_probabilities_worked_out_by_hand():
    model = TrigramModel.fit(["a b", "a b", "a c"])
    # Pairs count the words before them: (b, end) and (c, end) once each, (a, b) and (a, c) once;
    # words likewise: a 1, b 1, c 1, end 2. All discounts are 0.75 but the pairs' and trigrams'.
    alone_b = (1 - 0.75 * 0 - _discount([1, 1, 1, 2]) + _discount([1, 1, 1, 2]) * 4 / 5) / 5
    pairs = [3, 1, 1, 1, 1]  # (start, a) counts as often as it was seen
    b_after_a = (1 - _discount(pairs) + _discount(pairs) * 2 * alone_b) / 2
    trigrams = [3, 2, 1, 2, 1]
    b_after_start_a = (2 - _discount(trigrams) + _discount(trigrams) * 2 * b_after_a) / 3
    assert model.log_probabilities(["a", "b"])[1] == pytest.approx(math.log(b_after_start_a))


def _discount(counts):
    once, twice = counts.count(1), counts.count(2)
    return once / (once + 2 * twice) if once and twice else 0.75


def test_likelier_captions_have_a_higher_probability():
    model = TrigramModel.fit(CAPTIONS)
    sentences = ["a cat sits on a mat.", "a mat sits on a cat.", "mat a on sits cat a."]
    scores = [model.log_probability(sentence) for sentence in sentences]
    assert scores == sorted(scores, reverse=True)
    assert model.log_probability("a zebra") == model.log_probability("a xylophone")


@pytest.mark.parametrize("left_out", range(len(CAPTIONS)))
def test_holding_a_caption_out_is_nearly_fitting_without_it(left_out):
    captions = [*CAPTIONS, " ".join(sorted({w for c in CAPTIONS for w in tokenize(c)}))]
    words = tokenize(captions[left_out])
    whole = TrigramModel.fit(captions)
    rest = TrigramModel.fit(captions[:left_out] + captions[left_out + 1 :])
    rest._discounts = whole._discounts
    expected = math.fsum(rest.log_probabilities(words))
    found = HeldOut(whole, words).log_probability(words)
    assert found == pytest.approx(expected, rel=0.05)
    assert math.fsum(whole.log_probabilities(words)) >= found


def test_holding_out_what_was_not_counted_changes_nothing():
    model = TrigramModel.fit(CAPTIONS)
    words = tokenize("zebras graze quietly")
    assert HeldOut(model, words).log_probability(words) == model.log_probability(" ".join(words))


def test_a_model_is_saved_to_the_same_bytes_whatever_the_order_and_loads_again():
    model = TrigramModel.fit(CAPTIONS)
    data = saved(model)
    assert data == saved(TrigramModel.fit(reversed(CAPTIONS)))
    loaded = TrigramModel.load(io.BytesIO(data))
    assert saved(loaded) == data
    assert loaded.num_captions == len(CAPTIONS)
    for caption in [*CAPTIONS, "a zebra sits on a cat"]:
        assert loaded.log_probability(caption) == model.log_probability(caption)


GOOD = {"format": "hnclip-trigrams", "version": 1, "captions": 1, "words": ["a"]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff\x00",
        b'"text"',
        orjson.dumps({**GOOD, "version": 2, "trigrams": []}),
        orjson.dumps({**GOOD, "trigrams": [0, 0, 3]}),
        orjson.dumps({**GOOD, "trigrams": [0, 0, 4, 1]}),
        orjson.dumps({**GOOD, "trigrams": [0, 0, 3, 0]}),
        orjson.dumps({**GOOD, "trigrams": [0, -1, 3, 1]}),
        orjson.dumps({**GOOD, "trigrams": [0, "0", 3, 1]}),
        orjson.dumps({**GOOD, "trigrams": [0, 0.5, 3, 1]}),
        orjson.dumps({**GOOD, "trigrams": [0, 0, 3, 1.5]}),
        orjson.dumps({**GOOD, "trigrams": 7}),
        orjson.dumps({**GOOD, "words": ["a", "a"], "trigrams": []}),
        orjson.dumps({**GOOD, "words": ["a", 3], "trigrams": []}),
        orjson.dumps({**GOOD, "captions": None, "trigrams": []}),
    ],
)
def test_what_is_no_saved_model_is_refused_with_a_reason(data):
    with pytest.raises(HnclipError, match=r"fitted\.json: not a fitted model") as error:
        TrigramModel.load(io.BytesIO(data), "fitted.json")
    assert "\n" not in str(error.value)


def test_beyond_the_limit_rare_trigrams_are_forgotten():
    captions = ["a red bus", "a red bus", "a red bus", *(f"odd{n} word{n}" for n in range(50))]
    model = TrigramModel.fit(captions, max_trigrams=20)
    assert len(model._trigrams) <= 20
    assert model.log_probability("a red bus") > model.log_probability("odd1 word1")


def test_words_beyond_the_limit_are_unknown():
    model = TrigramModel.fit(["a cat", "a dog"], max_words=4)
    assert model.log_probability("a dog") == model.log_probability("a zebra")
    assert model.log_probability("a dog") > TrigramModel.fit(["a cat"]).log_probability("a dog")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=6), st.text(max_size=40))
def test_any_text_has_a_probability(captions, text):
    model = TrigramModel.fit(captions)
    words = tokenize(text)
    found = model.log_probabilities(words)
    assert len(found) == len(words) + 1
    assert all(-100 < value <= 1e-9 for value in found)
    assert -100 * len(found) < HeldOut(model, words).log_probability(words) <= 1e-9
    again = TrigramModel.load(io.BytesIO(saved(model)))
    assert again.log_probability(text) == model.log_probability(text)


ITEMS = [Texts(n % NUM_FOLDS, [f"a red bus {n}"], [f"a red bus {n}", "a"]) for n in range(20)]


def test_folds_score_by_models_of_the_other_folds():
    found = list(score_in_folds(lambda: ITEMS, lambda item: item))
    assert [item for item, _ in found] == ITEMS
    for item, scores in found:
        learned = [o.learned[0] for o in ITEMS if o.fold != item.fold]
        model = TrigramModel.fit(learned)
        assert scores == [model.log_probability(text) for text in item.scored]


def test_what_is_repeated_elsewhere_is_not_learned_on_demand():
    items = [Texts(n % NUM_FOLDS, ["a red bus"], ["a red bus"]) for n in range(20)]
    (_, known), *_ = score_in_folds(lambda: items, lambda item: item)
    (_, unknown), *_ = score_in_folds(lambda: items, lambda item: item, without_repeats=True)
    assert known[0] > unknown[0] == TrigramModel().log_probability("a red bus")
