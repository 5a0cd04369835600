import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnclip_cli.errors import HnclipError
from hnclip_cli.language import parser as parser_module
from hnclip_cli.lexicon import load_lexicon
from hnclip_cli.negatives.choosing.sameness import Saying
from hnclip_cli.negatives.choosing.truth import TrueCaptions, normalized
from hnclip_cli.negatives.kinds.registry import DEFAULT_KINDS
from hnclip_cli.streams.edits import apply_edits
from hnclip_cli.streams.records import Record
from tests.negatives.makers import by_rules

SCENE = "A small red circle is to the left of a large blue square."


@pytest.fixture(scope="module")
def maker(parser):
    return by_rules(per_caption=20)


def made(maker, caption, **fields):
    return maker.negatives([Record({"caption": caption, **fields})])[0]


def test_each_default_kind_gives_at_most_one_negative_of_a_scene(parser):
    kinds = [negative["kind"] for negative in made(by_rules(), SCENE)]
    assert kinds == [kind for kind in DEFAULT_KINDS if kind in kinds]
    assert {"swap-noun", "swap-adjective", "swap-noun-phrase", "replace-subject", "replace-noun",
            "replace-color", "flip-relation"} <= set(kinds)  # fmt: skip


def test_a_record_of_which_nothing_can_be_made_has_an_empty_list(maker):
    for caption in ["Hello!", "...", "a\0b", "x" * 100_000, "\ud800 a cat", "a cat " * 20_000]:
        assert made(maker, caption) == []


def test_a_few_negatives_are_of_different_kinds(parser):
    for number in (1, 3, 7):
        negatives = made(by_rules(per_caption=number), SCENE)
        assert len({negative["kind"] for negative in negatives}) == number == len(negatives)


def test_more_negatives_than_kinds_fill_up_evenly(parser):
    kinds = ["swap-noun", "replace-color"]
    negatives = made(by_rules(*kinds, per_caption=4), SCENE)
    assert [negative["kind"] for negative in negatives] == ["swap-noun"] + ["replace-color"] * 3


@pytest.mark.parametrize("kinds", [("replace-object", "shuffle-words"), ("shuffle-words", "negate",
    "replace-object")])  # fmt: skip
def test_articles_follow_in_kinds_that_replace_and_stay_in_orders_of_words(parser, kinds):
    """Together the kinds give what each of them gives alone."""
    records = [Record({"caption": "A man holds an umbrella", "id": str(n)}) for n in range(20)]
    alone = {kind: by_rules(kind).negatives(records) for kind in kinds}
    for number, negatives in enumerate(by_rules(*kinds).negatives(records)):
        assert negatives == [negative for kind in kinds for negative in alone[kind][number]]
    for (replaced,) in alone["replace-object"]:
        article, thing = replaced["caption"].split()[3:5]
        assert article == ("an" if thing[0] in "aeiou" else "a")


def test_the_seed_and_the_id_decide(parser):
    maker, again, other = (by_rules("replace-noun", seed=seed) for seed in (0, 0, 1))
    captions = [SCENE] * 20
    results = [
        [made(m, caption, id=str(i)) for i, caption in enumerate(captions)]
        for m in (maker, again, other)
    ]
    assert results[0] == results[1] != results[2]
    assert len({negative[0]["caption"] for negative in results[0]}) > 1


def test_batches_change_nothing(maker):
    records = [Record({"caption": f"{number} cats on a red bed"}) for number in range(30)]
    whole = maker.negatives(records)
    assert whole == [maker.negatives([record])[0] for record in records]


def test_true_captions_of_the_group_are_never_said(parser):
    caption = "a man in front of a red building"
    truth = TrueCaptions(
        [
            Record({"group": "1", "caption": "A man BEHIND a red building!"}),
            Record({"group": "1", "caption": "A woman near a blue car"}),
        ]
    )
    maker = by_rules(per_caption=50, truth=truth)
    texts = {negative["caption"] for negative in made(maker, caption, group="1")}
    assert "a man behind a red building" not in texts
    assert "a woman in front of a red building" not in texts  # a woman is there as well
    assert not any("blue" in text for text in texts)
    assert "a man behind a red building" in {
        negative["caption"] for negative in made(maker, caption, group="2")
    }


def test_captions_of_the_record_itself_are_never_said(maker):
    caption = "a cat behind a dog"
    listed = [caption, "a cat in front of a dog", "a rabbit"]
    texts = {n["caption"] for n in made(maker, caption, captions=listed)}
    assert texts
    assert not any("in front" in text or "rabbit" in text for text in texts)


def test_an_exchange_of_conjuncts_is_never_a_negative(maker):
    caption = "a dog on a chair and a dog on a couch"
    saying = Saying(caption, load_lexicon())
    assert not any(saying.is_said_by(negative["caption"]) for negative in made(maker, caption))


WORDS = [
    *("a", "an", "the", "A", "An", "red", "orange", "blue", "small", "large", "two", "cat", "Dog"),
    *("MAN", "woman", "umbrella", "hour", "bus", "on", "under", "behind", "left", "of", "to", "in"),
    *("front", "next", "near", "and", "or", "with", ",", ".", "-", "'", "!", "is", "holding"),
    *("riding", "her", "his", "who", "😀", "كلب", "\0", "&amp;", "<b>", "\u202e", "\n", ""),
]
TEXTS = st.text(max_size=80) | st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(TEXTS.filter(str.strip))
def test_any_text_gives_negatives_that_their_edits_reproduce(maker, caption):
    negatives = made(maker, caption)
    texts = [negative["caption"] for negative in negatives]
    for negative in negatives:
        edits = [tuple(edit) for edit in negative["edits"]]
        assert apply_edits(caption, edits) == negative["caption"]
        assert edits == sorted(edits)
        orjson.dumps(negative)
    assert normalized(caption) not in {normalized(text) for text in texts}
    assert len({normalized(text) for text in texts}) == len(texts)


def test_a_missing_pipeline_is_explained(monkeypatch):
    monkeypatch.setattr(parser_module, "MODELS", ("no_such_pipeline",))
    with pytest.raises(HnclipError, match="no English spaCy pipeline is installed") as error:
        by_rules()
    assert "pip install 'hnclip[en]'" in str(error.value)
    assert "python -m spacy download en_core_web_sm" in str(error.value)


def test_new_words_do_not_pile_up(parser, monkeypatch):
    monkeypatch.setattr(parser_module, "MAX_REMEMBERED", -1)
    maker = by_rules(per_caption=20)
    strings = maker._parser._nlp.vocab.strings
    made(maker, "a cat near a zyxgloop")
    size = len(strings)
    for number in range(20):
        made(maker, f"a cat near a zyx{number}gloop")
    assert len(strings) == size


def test_remembered_words_are_parsed_like_new_ones(parser, monkeypatch):
    captions = ["a zyxgloop cat isn't near 3 dogs", "a zyxgloop dog chases a cat in a red-ish zyx"]
    remembering = by_rules(per_caption=20)
    monkeypatch.setattr(parser_module, "MAX_REMEMBERED", -1)
    forgetting = by_rules(per_caption=20)
    for _ in range(2):
        for caption in captions:
            assert made(remembering, caption) == made(forgetting, caption) != []


def test_nearly_all_real_captions_have_a_negative(parser, real_data):
    lines = (real_data / "coco" / "captions.jsonl").read_bytes().splitlines()[:400]
    results = by_rules().negatives([Record(orjson.loads(line)) for line in lines])
    assert sum(map(bool, results)) > 0.75 * len(results)
