import pytest

from hnclip_cli.lexicon import load_lexicon
from hnclip_cli.models.language import Filler, MaskedModel
from hnclip_cli.negatives.choosing.choice import Choosing
from hnclip_cli.negatives.choosing.maker import NegativeMaker
from hnclip_cli.negatives.choosing.truth import TrueCaptions
from hnclip_cli.negatives.generators.mlm import (
    Filled,
    are_of_one_sort,
    filled_edits,
    find_gaps,
)
from hnclip_cli.negatives.kinds.registry import DEFAULT_KINDS, KINDS
from hnclip_cli.streams.edits import apply_edits
from hnclip_cli.streams.records import Record

pytestmark = pytest.mark.usefixtures("one_parser")
CAPTIONS = [
    "A dog sitting on a red couch.",
    "A man in his hat standing near a blue bench",
    "Two dogs on a sofa",
    "AN ORANGE CAT ON A BED",
    "a woman walking on a white table and a man on a black bed .",
    "no known word",
    "🐕 sits",
]


class Parrot:
    """A model that knows one list of words, and notes what it was asked."""

    def __init__(self, *words):
        self.words = words
        self.gaps = []

    def fill(self, gaps, k, batch_size):
        self.gaps += gaps
        return [[Filler(word, -float(i)) for i, word in enumerate(self.words[:k])] for _ in gaps]


def made(model, *records, kinds=("replace-noun",), **choices):
    how = {"batch_size": choices.pop("batch_size", 32)}
    maker = NegativeMaker(Choosing(kinds, **choices), Filled(kinds, model, **how))
    return maker.negatives([Record(record) for record in records])


def texts(negatives):
    return [negative["caption"] for negative in negatives]


@pytest.fixture(scope="module")
def model(masked_folder):
    return MaskedModel(str(masked_folder), device="cpu")


class TestChoice:
    def test_the_first_word_that_is_false_is_taken(self):
        # A puppy and an animal may be the dog, "dogs" does not agree, "blurb" is unknown.
        model = Parrot("dog", "puppy", "animal", "dogs", "blurb", "of", "giraffe", "cat")
        (negatives,) = made(model, {"caption": "A dog under a tree."})
        assert texts(negatives) == ["A giraffe under a tree."]
        assert negatives[0]["edits"] == [[2, 5, "giraffe"]]

    def test_whole_words_are_replaced_and_no_part_of_another(self):
        (negatives,) = made(Parrot("boy"), {"caption": "A woman next to a man under a tree"})
        assert texts(negatives) != [] and all("woboy" not in text for text in texts(negatives))

    def test_a_name_changes_as_a_whole(self):
        kinds, caption = ["replace-location"], {"caption": "A bed in a hotel room"}
        (negatives,) = made(Parrot("office"), caption, kinds=kinds)
        assert negatives[0]["edits"] == [[9, 10, "an"], [11, 21, "office"]]

    def test_what_the_caption_names_already_is_not_put_in(self):
        (negatives,) = made(Parrot("cat"), {"caption": "A dog chases a cat."})
        assert texts(negatives) == []

    def test_what_another_caption_of_the_group_says_is_not_put_in(self):
        record = {"group": "1", "caption": "A dog under a tree."}
        truth = TrueCaptions([Record({"group": "1", "caption": "a cat sleeps"})])
        (negatives,) = made(Parrot("kitten", "horse"), record, truth=truth)
        assert texts(negatives) == ["A horse under a tree."]

    def test_one_stays_one_and_many_stay_many(self):
        model = Parrot("zebras", "zebra")
        (one,), (many,) = made(
            model,
            {"caption": "A giraffe by a tree"},
            {"caption": "Giraffes by a tree"},
            kinds=("replace-subject",),
        )
        assert texts([one, many]) == ["A zebra by a tree", "Zebras by a tree"]

    def test_a_verb_is_replaced_by_a_verb(self):
        record = {"caption": "A man is flying a kite at the beach."}
        (negatives,) = made(Parrot("clock", "painting"), record, kinds=("replace-verb",))
        assert texts(negatives) == ["A man is painting a kite at the beach."]

    def test_articles_and_case_follow(self):
        (negatives,) = made(
            Parrot("elephant"), {"caption": "A DOG UNDER A TREE"}, kinds=("replace-subject",)
        )
        assert negatives[0]["caption"] == "AN ELEPHANT UNDER A TREE"
        assert negatives[0]["edits"] == [[0, 1, "AN"], [2, 5, "ELEPHANT"]]

    def test_pronouns_follow(self):
        (negatives,) = made(Parrot("woman"), {"caption": "A man rides his horse."})
        assert texts(negatives) == ["A woman rides her horse."]

    def test_a_place_that_several_kinds_replace_is_asked_about_once(self):
        model = Parrot("cat", "horse")
        kinds = ("replace-subject", "replace-noun")
        (negatives,) = made(model, {"caption": "A dog under a tree."}, kinds=kinds)
        assert len(model.gaps) == len({*model.gaps})
        assert texts(negatives) == ["A cat under a tree.", "A horse under a tree."]

    def test_kinds_that_replace_nothing_are_made_by_their_rules(self):
        record = {"caption": "A red car behind a blue bus."}
        (negatives,) = made(Parrot(), record, kinds=("swap-adjective", "replace-color"))
        assert texts(negatives) == ["A blue car behind a red bus."]

    def test_several_of_one_kind_are_kept_on_demand(self):
        model = Parrot("cat", "horse", "zebra")
        (negatives,) = made(model, {"caption": "A dog under a tree."}, per_caption=2)
        assert texts(negatives) == ["A cat under a tree.", "A horse under a tree."]


class TestModel:
    def test_edits_reproduce_every_negative(self, model):
        records = [{"caption": caption} for caption in CAPTIONS]
        found = made(model, *records, kinds=DEFAULT_KINDS)
        assert sum(map(len, found)) >= 12
        for record, negatives in zip(records, found, strict=True):
            for negative in negatives:
                edits = [tuple(edit) for edit in negative["edits"]]
                assert apply_edits(record["caption"], edits) == negative["caption"]
                assert negative["caption"].lower() != record["caption"].lower()

    @pytest.mark.parametrize("batch_size", [1, 2, 64])
    def test_batches_and_neighbors_change_nothing(self, model, batch_size):
        records = [{"caption": caption} for caption in CAPTIONS]
        together = made(model, *records, kinds=DEFAULT_KINDS, batch_size=batch_size)
        alone = [made(model, record, kinds=DEFAULT_KINDS)[0] for record in reversed(records)]
        assert together == alone[::-1]

    def test_the_seed_changes_the_place(self, model):
        record = {"caption": CAPTIONS[4]}
        found = {texts(made(model, record, seed=seed)[0])[0] for seed in range(8)}
        assert len(found) > 1


def test_gaps_leave_out_the_words_that_stay(parser):
    (caption,) = parser.parse(["A man walking on a beach."])
    gaps = find_gaps("replace-verb", caption)
    assert (6, 13) in [(gap.start, gap.end) for gap in gaps]
    assert "sitting" in {template.word for templates in gaps.values() for template in templates}


def test_kinds_that_replace_nothing_have_no_gaps(parser):
    (caption,) = parser.parse(["A dog chases a cat."])
    assert find_gaps("swap-noun", caption) == {}


def test_a_word_of_no_known_sort_is_not_filled_in(parser):
    (caption,) = parser.parse(["A red car"])
    ((gap, templates),) = find_gaps("replace-color", caption).items()

    def filled(word):
        return filled_edits("replace-color", caption, gap, templates, word)

    assert filled("fast") is None
    assert filled("crimson") is None
    assert filled("blue") == [(2, 5, "blue")]


@pytest.mark.parametrize(
    ("kind", "word", "known", "expected"),
    [
        ("replace-noun", "kitten", "cat", True),
        ("replace-subject", "kitten", "cat", True),
        ("replace-location", "kitten", "cat", False),
        ("replace-noun", "kittens", "cat", False),
        ("replace-noun", "zebras", "sheep", False),
        ("replace-noun", "zebra", "sheep", False),
        ("replace-noun", "animal", "cat", False),
        ("replace-noun", "couch", "cat", False),
        ("replace-noun", "pigeon", "cat", False),  # it flies
        ("replace-noun", "woman", "boy", False),
        ("replace-noun", "blurb", "cat", False),
        ("replace-color", "grey", "gray", True),
        ("replace-color", "red", "blue", False),
        ("replace-verb", "jogging", "running", True),
        ("replace-verb", "jogs", "running", False),
        ("replace-verb", "walking", "running", False),
        ("replace-verb", "clock", "painting", False),
        ("replace-state", "quick", "slow", False),
    ],
)
def test_words_of_one_sort(kind, word, known, expected):
    assert are_of_one_sort(KINDS[kind].of, word, known, load_lexicon()) is expected
