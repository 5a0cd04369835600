import io
import math

import numpy as np
import orjson
import pytest

from hnclip_cli.errors import HnclipError
from hnclip_cli.language import usage as usage_module
from hnclip_cli.language.usage import DEPENDENT, HEAD, Usage
from hnclip_cli.lexicon import load_lexicon

CAPTIONS = [
    *["A man rides a horse on a beach."] * 6,
    *["A woman rides a bicycle on a street."] * 6,
    *["A man holds a frisbee in a park."] * 6,
    *["A dog sleeps on a couch."] * 6,
    *["A cat sleeps on a bed."] * 6,
    *["A boy flies a kite in a field."] * 6,
]


@pytest.fixture(scope="module")
def usage(parser):
    return Usage.fit(parser.parse(CAPTIONS))


def value(usage, row, word):
    return row[usage.choices[word]]


def saved(usage):
    stream = io.BytesIO()
    usage.save(stream)
    return stream.getvalue()


def test_what_captions_say_is_more_usual_than_what_they_do_not(usage):
    ridden = usage.link_row("object", DEPENDENT, "to rid")
    assert value(usage, ridden, "horse") > value(usage, ridden, "frisbee")
    riders = usage.link_row("subject", DEPENDENT, "to rid")
    assert value(usage, riders, "woman") > value(usage, riders, "dog")
    beach = usage.scene_row("beach")
    assert value(usage, beach, "horse") > value(usage, beach, "couch")


def test_unseen_pairs_borrow_from_their_like(usage):
    """No caption says what a girl rides, nor what a pencil does; a girl is like a woman."""
    riders = usage.link_row("subject", DEPENDENT, "to rid")
    assert value(usage, riders, "girl") > value(usage, riders, "pencil")


def plain_link(usage, relation, side, word, other):
    """What `link_row` gives for a word, by the formula of the module, one pair at a time."""
    lexicon = load_lexicon()

    def family(lemma):
        noun = lexicon.nouns.forms.get(lemma)
        return noun.family.name if noun else lemma.startswith("to ")

    pairs = []
    for kind, head, dependent, count in usage.pairs.tolist():
        if usage.relations[kind] == relation:
            both = (usage.words[head], usage.words[dependent])
            pairs.append((both[side], both[1 - side], count))
    total = sum(count for *_, count in pairs)

    def number(mine=None, mine_family=None, theirs=None, their_family=None):
        return sum(
            count
            for one, two, count in pairs
            if (mine is None or one == mine)
            and (theirs is None or two == theirs)
            and (mine_family is None or family(one) == mine_family)
            and (their_family is None or family(two) == their_family)
        )

    a, b = family(word), family(other)

    def ratio(count, mine, theirs, weight, prior):
        return (count + weight * prior) / (mine * theirs / total + weight)

    my_family, their_family = number(mine_family=a), number(their_family=b)
    mine, theirs = number(mine=word), number(theirs=other)
    both = ratio(number(mine_family=a, their_family=b), my_family, their_family, 4.0, 1.0)
    left = ratio(number(mine_family=a, theirs=other), my_family, theirs, 1.5, both)
    right = ratio(number(mine=word, their_family=b), mine, their_family, 1.5, both)
    count = number(mine=word, theirs=other)
    usual = ratio(count, mine, theirs, 0.5, math.sqrt(left * right))

    frequency = dict(zip(usage.words, usage.frequencies.tolist(), strict=True))
    every = sum(frequency.values())
    vocabulary = {*usage.words, *usage.choices}

    def share(lemma):
        return (frequency.get(lemma, 0) + 0.5) / every

    of_family = total * sum(share(lemma) for lemma in vocabulary if family(lemma) == a)
    expected = total * share(word)
    part = (mine + 3.0 * (my_family + 3.0) / (of_family + 3.0)) / (expected + 3.0)
    return 0.47 * math.log(usual) + 0.44 * math.log(part) - (0 if count else 1.2)


@pytest.mark.parametrize(
    ("relation", "side", "other"),
    [
        ("object", DEPENDENT, "to rid"),
        ("subject", DEPENDENT, "to sleep"),
        ("noun on", HEAD, "beach"),
        ("place", HEAD, "couch"),
    ],
)
def test_rows_are_what_the_formula_gives_one_pair_at_a_time(usage, relation, side, other):
    row = usage.link_row(relation, side, other)
    for word in ("horse", "bicycle", "girl", "pencil", "on", "dog", "to rid"):
        expected = plain_link(usage, relation, side, word, other)
        assert value(usage, row, word) == pytest.approx(expected, abs=1e-5)


def test_what_is_not_known_says_nothing(usage):
    assert usage.link_row("no such relation", HEAD, "horse") is None
    assert usage.link_row("subject", HEAD, "unheard") is None
    assert usage.scene_row("unheard") is None
    assert usage.link("subject", "to unheard", "unheard") == 0


def test_a_link_is_seen_or_not(usage):
    assert usage.is_seen("object", "to rid", "horse")
    assert not usage.is_seen("object", "to rid", "kite")
    assert not usage.is_seen("no such relation", "to rid", "kite")
    assert usage.link("object", "to rid", "horse") > usage.link("object", "to rid", "kite")


def test_rows_do_not_depend_on_which_were_asked_for_before(usage, parser):
    again = Usage.fit(parser.parse(CAPTIONS))
    again.scene_row("beach")
    again.link_row("object", DEPENDENT, "to fly")
    for side, other in ((HEAD, "horse"), (DEPENDENT, "to rid")):
        one, two = (model.link_row("object", side, other) for model in (usage, again))
        assert np.array_equal(one, two) and np.isfinite(one).all()


def test_numbers_of_many_groups_of_nouns_are_forgotten_again(usage, monkeypatch):
    monkeypatch.setattr(usage_module, "_MAX_ROWS", 2)
    nouns = list(dict.fromkeys(load_lexicon().nouns.forms.values()))[:9]
    for last in (*range(9), *range(9)):
        found = usage.numbers(nouns[: last + 1]).tolist()
        assert found == [usage.choices[noun.singular or noun.plural] for noun in nouns[: last + 1]]
        assert len(usage._rows) <= 2


def test_a_model_is_saved_to_the_same_bytes_whatever_the_order_and_loads_again(usage, parser):
    data = saved(usage)
    assert data == saved(Usage.fit(parser.parse(CAPTIONS[::-1])))
    loaded = Usage.load(io.BytesIO(data), "fitted.json")
    assert saved(loaded) == data and loaded.num_captions == len(CAPTIONS)
    assert np.array_equal(loaded.scene_row("beach"), usage.scene_row("beach"))


def test_the_built_in_model_knows_what_people_do():
    usage = Usage.built_in()
    ridden = usage.link_row("object", DEPENDENT, "to rid")
    assert value(usage, ridden, "surfboard") > value(usage, ridden, "pizza") + math.log(2)


GOOD = {
    "format": "hnclip-usage", "version": 1, "captions": 1, "words": ["cat", "on"],
    "frequencies": [1, 1], "relations": ["place"], "pairs": [0, 1, 0, 1], "scenes": [0, 1, 1],
}  # fmt: skip


def test_a_small_model_by_hand_is_read():
    usage = Usage.load(io.BytesIO(orjson.dumps(GOOD)), "fitted.json")
    assert usage.is_seen("place", "on", "cat")


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"{}", b"\xff\x00", b'"text"',
        *(
            orjson.dumps({**GOOD, **change})
            for change in (
                {"version": 2},
                {"captions": None},
                {"words": ["cat", 3]},
                {"words": ["cat", "cat"]},
                {"words": 7},
                {"frequencies": [1]},
                {"frequencies": [1, 0]},
                {"frequencies": [1, 1, 1]},
                {"pairs": [0, 1, 0]},
                {"pairs": [0, 1, 2, 1]},
                {"pairs": [1, 1, 0, 1]},
                {"pairs": [0, -1, 0, 1]},
                {"pairs": [0, 1, 0, 0]},
                {"pairs": [0, 1, 0, 0.5]},
                {"pairs": [0, 1, 0, "1"]},
                {"pairs": [[0, 1], [0, 1]]},
                {"pairs": [0, 1, 0, 2**63]},
                {"pairs": [True, True, False, True]},
                {"scenes": [0, 2, 1]},
                {"scenes": {}},
            )
        ),
    ],
)  # fmt: skip
def test_what_is_no_saved_model_is_refused_with_a_reason(data):
    with pytest.raises(HnclipError, match=r"fitted\.json: not a fitted model") as error:
        Usage.load(io.BytesIO(data), "fitted.json")
    assert "\n" not in str(error.value)
