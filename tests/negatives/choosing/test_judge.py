import pytest

from hnclip_cli.language.caption import Caption
from hnclip_cli.negatives.choosing.choice import Choosing
from hnclip_cli.negatives.choosing.judge import NUM_JUDGED, Judged, penalized
from hnclip_cli.negatives.choosing.maker import NegativeMaker
from hnclip_cli.negatives.choosing.plausibility import Plausible
from hnclip_cli.negatives.choosing.ranking import Ranked
from hnclip_cli.negatives.kinds.registry import DEFAULT_KINDS
from hnclip_cli.streams.records import Record
from tests.negatives.generators.conftest import masked_folder

__all__ = ["masked_folder"]

TEXT = "a dog on a bed"
WORDS = ["cat", "cow", "hat", "bear", "zebra", "pig", "goat"]


class Scorer:
    """Likes words by the alphabet, from the end, and notes what it is asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, texts):
        self.asked += texts
        return [float(ord(text.split()[1][0])) for text in texts]


def offered(offers, score, captions=(TEXT,)):
    """The replacements that are offered for each caption, by kind."""

    def propose(captions):
        for _ in captions:
            yield iter(
                [{kind: iter([[(2, 5, w)] for w in words]) for kind, words in offers.items()}]
            )

    found = Judged(propose, score)([Caption(text, []) for text in captions])
    return [
        {kind: [edits[0][2] for edits in candidates] for kind, candidates in first.items()}
        for (first,) in found
    ]


def test_the_first_few_come_best_first_and_the_others_stay():
    (found,) = offered({"replace-noun": WORDS}, Scorer())
    assert NUM_JUDGED == 5
    assert found["replace-noun"] == ["zebra", "hat", "cat", "cow", "bear", "pig", "goat"]


def test_equal_ones_stay_as_they_were_drawn():
    (found,) = offered({"replace-noun": WORDS}, lambda texts: [-1.0001] * len(texts))
    assert found["replace-noun"] == WORDS


def test_each_text_is_asked_about_once_and_a_single_one_never():
    score = Scorer()
    offers = {"replace-noun": ["cat", "pig"], "replace-subject": ["pig", "cat"], "negate": ["hen"]}
    first, second = offered(offers, score, [TEXT, TEXT])
    assert score.asked == ["a cat on a bed", "a pig on a bed"]
    assert first == second
    assert first == {
        "replace-noun": ["pig", "cat"],
        "replace-subject": ["pig", "cat"],
        "negate": ["hen"],
    }


def test_orders_of_words_are_not_judged():
    score = Scorer()
    assert offered({"shuffle-words": WORDS}, score) == [{"shuffle-words": WORDS}]
    assert score.asked == []


def test_what_comes_later_is_left_as_it_is():
    offers = [{"replace-noun": [[(2, 5, word)]]} for word in WORDS[:2]]
    score = Scorer()
    (found,) = Judged(lambda _: [iter(offers)], score)([Caption(TEXT, [])])
    assert [{kind: list(edits) for kind, edits in one.items()} for one in found] == offers
    assert list(*Judged(lambda _: [iter([])], score)([Caption(TEXT, [])])) == [{}]


def test_a_longer_text_is_not_the_worse_for_its_length():
    assert penalized("a b c", -6.0) == pytest.approx(-6 / (8 / 6) ** 0.8, abs=1e-3)
    assert penalized("a b c d e f", -7.0) > penalized("a b c", -6.0)


@pytest.fixture
def make(parser, monkeypatch):
    from hnclip_cli.negatives.choosing import maker

    monkeypatch.setattr(maker, "Parser", lambda level, lexicon: parser)

    def make(score):
        choosing = Choosing(DEFAULT_KINDS)
        ranked = Ranked(DEFAULT_KINDS, Plausible(choosing.lexicon))
        return NegativeMaker(choosing, Judged(ranked, score) if score else ranked).negatives

    return make


RECORDS = [
    Record({"caption": text})
    for text in (
        "A dog sitting on a red couch.",
        "A man in his hat standing near a blue bench",
        "Two dogs on a sofa",
        "no known word",
        "There are no cars.",
    )
]


def test_batches_change_nothing_and_the_model_decides(make):
    judged = make(lambda texts: [-float(sum(map(ord, text)) % 97) for text in texts])
    together = judged(RECORDS)
    assert together == [judged([record])[0] for record in RECORDS]
    assert together != make(None)(RECORDS)
    assert list(map(len, together)) == list(map(len, make(None)(RECORDS)))


@pytest.mark.long
@pytest.mark.parametrize("batch_size", [1, 7])
def test_a_masked_model_judges(make, masked_folder, monkeypatch, batch_size):
    from hnclip_cli.models import language

    score = language.load_scorer(str(masked_folder), device="cpu").log_probabilities
    found = make(score)(RECORDS)
    monkeypatch.setattr(language, "BATCH_SIZE", batch_size)
    assert make(score)(RECORDS) == found
