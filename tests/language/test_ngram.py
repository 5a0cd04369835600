import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnclip_cli.language.ngram import (
    NUM_FOLDS,
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
