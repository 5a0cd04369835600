from collections import Counter

import pytest

from hnclip_cli.errors import InputError
from hnclip_cli.language.caption import Caption
from hnclip_cli.negatives.choosing.choice import Choice, Choosing, drawn_order
from hnclip_cli.negatives.choosing.truth import TrueCaptions
from hnclip_cli.negatives.kinds.presets import Slots
from hnclip_cli.negatives.kinds.registry import KINDS
from hnclip_cli.streams.records import Record

TEXT = "a dog on a bed"
X, Y, Z = "replace-noun", "replace-verb", "replace-color"


def chosen(offers, per_caption=None, truth=None, seed=0, slots=None, **fields):
    record = Record({"caption": TEXT, "group": "1", **fields})
    choosing = Choosing((), per_caption, truth or TrueCaptions(), seed, slots=slots)
    caption = Caption(TEXT, [])
    caption.draw = choosing.draw(record)
    found = Choice(choosing, record, caption).of(
        {kind: [[(2, 5, word)] for word in words] for kind, words in offers.items()}
    )
    return [(negative["kind"], negative["edits"][0][2]) for negative in found]


def test_the_first_of_each_kind_is_taken():
    assert chosen({X: ["cat", "cow"], Y: ["hat"], Z: []}) == [(X, "cat"), (Y, "hat")]


def test_nothing_is_taken_twice_or_equals_the_caption():
    assert chosen({X: ["cat"], Y: ["Cat", "DOG", "hat"]}) == [(X, "cat"), (Y, "hat")]


def test_kinds_take_turns_until_there_are_enough():
    offers = {X: ["cat", "cow", "hat"], Y: ["bear"], Z: ["zebra"]}
    for seed in range(5):
        assert {kind for kind, _ in chosen(offers, 3, seed=seed)} == {X, Y, Z}
    assert len(chosen(offers, 4)) == 4
    assert len(chosen(offers, 99)) == 5
    assert len({chosen(offers, 1, seed=seed)[0] for seed in range(20)}) == 3


def test_more_useful_kinds_come_first_but_not_always():
    offers = {"swap-noun": ["cat"], "replace-color": ["hat"], "negate": ["cow"]}
    first = Counter(chosen(offers, 1, seed=seed)[0][0] for seed in range(300))
    odds = {kind: KINDS[kind].usefulness / (1 - KINDS[kind].usefulness) for kind in offers}
    for kind, rate in odds.items():
        assert first[kind] / 300 == pytest.approx(rate / sum(odds.values()), abs=0.06)
    assert all(
        [kind for kind, _ in chosen(offers, count, seed=seed)] == list(offers)
        for count in (None, 3)
        for seed in range(9)
    )


def test_each_slot_is_filled_by_one_of_its_kinds_and_nothing_stands_in_where_all_are():
    offers = {X: ["cat", "cow"], Y: ["hat"], Z: ["zebra"], "negate": ["no dog"]}
    slots = Slots([[X, Y], [Z]], 2, fillers=["negate"])
    for seed in range(9):
        (first, _), (second, _) = chosen(offers, seed=seed, slots=slots)
        assert first in (X, Y) and second == Z
    assert len(chosen(offers, slots=slots._replace(each=[[X], [Y], [Z]]))) == 3


def test_an_empty_slot_gets_more_of_the_kinds_then_a_filler_and_orders_of_words_last():
    order = "shuffle-bigrams"
    offers = {X: ["cat", "cow"], Y: [], Z: ["zebra"], order: ["on a", "a bed", "bed on"]}
    kinds = [
        [kind for kind, _ in chosen(offers, slots=Slots([[X], [Y], [order]], count, [Z]))]
        for count in (2, 3, 4, 5, 9)
    ]
    assert kinds[:3] == [[X, order], [X, X, order], [X, X, Z, order]]
    assert kinds[3:] == [[X, X, Z, order, order], [X, X, Z, order, order, order]]


def test_as_many_as_are_asked_for_are_of_slots_drawn_by_use():
    offers, slots = {X: ["cat"], Y: ["hat"], Z: ["zebra"]}, Slots([[X], [Y], [Z]], 1, ())
    assert len({chosen(offers, 1, seed=seed, slots=slots)[0] for seed in range(20)}) == 3
    assert len(chosen(offers, 2, slots=slots)) == 2


def test_other_captions_of_the_image_are_true():
    truth = TrueCaptions([Record({"caption": "a cat on a bed", "group": "1"})])
    assert chosen({X: ["kitten", "cow"]}, truth=truth) == [(X, "cow")]
    assert chosen({X: ["cat", "cow"]}, captions=["a cat!"]) == [(X, "cow")]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [({}, "caption"), ({"id": 3}, "id"), ({"captions": "a"}, "captions"), ({"group": 1}, "group")],
)
def test_a_record_is_checked_for_what_is_read(fields, problem):
    record = Record({"caption": TEXT, **fields} if fields else {}, line=7)
    truth = TrueCaptions([Record({"caption": "a cat", "group": "1"})])
    Choosing(()).check(Record({"caption": TEXT, "group": 1}))
    with pytest.raises(InputError, match=f'-:7: .*"{problem}"'):
        Choosing((), truth=truth).check(record)


def test_the_order_of_numbers_is_a_records_own():
    def order(key=X, count=20, seed=0, name="1"):
        return drawn_order(Choosing((), seed=seed).draw(Record({"id": name})), key, range(count))

    assert sorted(order()) == list(range(20))
    assert order() == order()
    assert [n for n in order() if n < 10] == order(count=10)
    assert order() not in [order(seed=1), order(name="2"), order(Y)]
