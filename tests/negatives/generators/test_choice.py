from hnclip_cli.language.caption import Caption
from hnclip_cli.negatives.choosing.truth import TrueCaptions
from hnclip_cli.negatives.generators.choice import choose, usable
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record

TEXT = "a dog on a bed"


def chosen(offers, per_caption=None, truth=None, seed=0, **fields):
    record = Record({"caption": TEXT, "group": "1", **fields})
    found = choose(
        record,
        Caption(TEXT, []),
        {kind: [[(2, 5, word)] for word in words] for kind, words in offers.items()},
        truth=truth or TrueCaptions(),
        per_caption=per_caption,
        seed=seed,
    )
    return [(negative["kind"], negative["edits"][0][2]) for negative in found]


def test_the_first_of_each_kind_is_taken():
    assert chosen({"x": ["cat", "cow"], "y": ["hat"], "z": []}) == [("x", "cat"), ("y", "hat")]


def test_nothing_is_taken_twice_or_equals_the_caption():
    assert chosen({"x": ["cat"], "y": ["Cat", "DOG", "hat"]}) == [("x", "cat"), ("y", "hat")]


def test_kinds_take_turns_until_there_are_enough():
    offers = {"x": ["cat", "cow", "hat"], "y": ["bear"], "z": ["zebra"]}
    for seed in range(5):
        assert {kind for kind, _ in chosen(offers, 3, seed=seed)} == {"x", "y", "z"}
    assert len(chosen(offers, 4)) == 4
    assert len(chosen(offers, 99)) == 5
    assert len({chosen(offers, 1, seed=seed)[0] for seed in range(20)}) == 3


def test_other_captions_of_the_image_are_true():
    truth = TrueCaptions([Record({"caption": "a cat on a bed", "group": "1"})])
    assert chosen({"x": ["kitten", "cow"]}, truth=truth) == [("x", "cow")]
    assert chosen({"x": ["cat", "cow"]}, captions=["a cat!"]) == [("x", "cow")]


def test_bad_records_are_found_before_anything_is_asked():
    records = [Record({"caption": TEXT}), Record({}, line=2), Record({"caption": TEXT})]
    found, failure = usable(records, ErrorPolicy("fail"))
    assert (len(found), failure is None) == (1, False)
    policy = ErrorPolicy("skip")
    assert (len(usable(records, policy)[0]), policy.num_skipped) == (2, 1)
