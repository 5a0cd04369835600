import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.language.ngram import TrigramModel
from hnclip_cli.negatives.choosing.fluency import MAX_LOSS, Commonness, Fitted, fit
from hnclip_cli.streams.edits import apply_edits
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record
from tests.negatives.makers import by_rules

CORPUS = [
    "A dog sleeps on a couch.",
    "A dog sleeps on a bed.",
    "A cat sleeps on a couch.",
    "A cat sleeps on a chair.",
    "A brown horse stands in a field.",
    "A brown cow stands in a field.",
    "A white horse stands in a field.",
]


@pytest.fixture(scope="module")
def fitted():
    return Fitted(TrigramModel.fit(CORPUS))


@pytest.fixture(scope="module")
def as_caption(parser):
    return lambda text: parser.parse([text])[0]


def cost(preference, caption, change):
    """What one candidate loses."""
    (loss,) = preference.losses(caption, [change])
    return loss


def edit(text, old, new):
    start = text.index(old)
    return [(start, start + len(old), new)]


@pytest.fixture(scope="module")
def made(parser):
    makers = {}

    def negatives(preference, caption, *kinds, **fields):
        key = (id(preference), kinds)
        if key not in makers:
            makers[key] = by_rules(*kinds, preference=preference)
        return makers[key].negatives([Record({"caption": caption, **fields})])[0]

    return negatives


def test_what_fits_between_its_neighbors_costs_less(fitted, as_caption):
    text = "A dog sleeps on a couch."
    changes = [("couch", "chair"), ("couch", "field"), ("dog", "cat"), ("dog", "zebra")]
    chair, field, cat, zebra = fitted.losses(as_caption(text), [edit(text, *c) for c in changes])
    assert chair < field and cat < zebra


def test_without_a_change_nothing_is_lost(fitted, as_caption):
    assert fitted.losses(as_caption(CORPUS[0]), [[], []]) == [0, 0]


def test_a_caption_is_not_favored_for_having_been_in_the_corpus(as_caption):
    text = "A gray parrot sits on a purple sofa."
    alone, among = (Fitted(TrigramModel.fit(captions)) for captions in (CORPUS, [*CORPUS, text]))
    change = edit(text, "purple", "brown")
    losses = [cost(model, as_caption(text), change) for model in (alone, among)]
    assert losses[1] == pytest.approx(losses[0], abs=2.5)
    unfair = TrigramModel.fit([*CORPUS, text])
    gap = unfair.log_probability(text) - unfair.log_probability(apply_edits(text, change))
    assert gap > losses[1] + 2


def test_common_words_cost_less_than_rare_ones(as_caption):
    text = "A red bus"
    changes = [edit(text, "red", new) for new in ("white", "purple", "mauve")]
    costs = Commonness().losses(as_caption(text), changes)
    assert costs == sorted(set(costs))
    assert cost(Commonness(), as_caption(text), [(2, 5, "bus"), (6, 9, "red")]) == 0


def test_a_fitted_model_chooses_what_the_corpus_says(made):
    caption = "A brown horse stands in a field."
    seen = ["cow", "sheep", "goat", "deer", "dog"]
    fitted = Fitted(
        TrigramModel.fit(
            [*CORPUS, *(f"A brown {animal} stands in a field." for animal in seen * 3)]
        )
    )
    texts = {
        negative["caption"]
        for number in range(30)
        for negative in made(fitted, caption, "replace-noun", id=str(number))
    }
    assert "A brown sheep stands in a field." in texts
    assert texts <= {f"A brown {animal} stands in a field." for animal in seen}


def test_a_misfit_is_left_out_unless_there_is_nothing_else(made, as_caption):
    caption = "A brown horse stands in a field."
    told = Fitted(TrigramModel.fit([caption] * 500))
    kinds = ("replace-noun", "replace-color")
    alone = made(told, caption, *kinds)
    assert len(alone) == 1  # the least bad of both kinds
    edits = [tuple(change) for change in alone[0]["edits"]]
    assert cost(told, as_caption(caption), edits) > MAX_LOSS
    free = made(None, caption, *kinds)
    assert [negative["kind"] for negative in free] == list(kinds)


def test_the_choice_with_a_model_does_not_depend_on_the_batch(parser, fitted):
    maker = by_rules(preference=fitted)
    records = [Record({"caption": caption}) for caption in CORPUS]
    assert maker.negatives(records) == [maker.negatives([record])[0] for record in records]


def test_a_truth_that_refuses_the_best_leaves_the_next(made, fitted):
    caption = "A brown horse stands in a field."
    first = made(fitted, caption, "replace-noun")[0]["caption"]
    (second,) = made(fitted, caption, "replace-noun", captions=[caption, first])
    assert second["caption"] != first


def test_a_model_is_fitted_from_every_true_caption():
    records = [Record({"caption": "a cat"}), Record({"captions": ["a dog", "two dogs"]})]
    assert fit(records).num_captions == 3


def test_bad_records_follow_the_policy():
    policy = ErrorPolicy("skip")
    assert (
        fit([Record({"caption": "a cat"}), Record({"image": "x"})], policy=policy).num_captions == 1
    )
    assert policy.num_skipped == 1
    with pytest.raises(InputError, match='missing field "caption"'):
        fit([Record({"image": "x"})])


def test_a_model_needs_a_caption():
    with pytest.raises(HnclipError, match="no captions to fit a model from"):
        fit([])


def test_a_saved_model_chooses_the_same(made, fitted):
    stream = io.BytesIO()
    TrigramModel.fit(CORPUS).save(stream)
    stream.seek(0)
    loaded = Fitted(TrigramModel.load(stream))
    for caption in CORPUS:
        assert made(loaded, caption) == made(fitted, caption)


WORDS = ["a", "two", "red", "dog", "cat", "bus", "on", "near", ".", "😀", "\ud800", "<"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_any_text_gives_the_same_with_a_model_twice(made, fitted, text):
    caption = f"a man {text}"
    negatives = made(fitted, caption)
    assert negatives == made(fitted, caption)
    for negative in negatives:
        edits = [tuple(change) for change in negative["edits"]]
        assert apply_edits(caption, edits) == negative["caption"]
