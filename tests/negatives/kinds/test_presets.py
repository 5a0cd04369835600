from hnclip_cli.negatives.kinds.presets import PRESETS, chosen_kinds, joined_slots
from hnclip_cli.negatives.kinds.registry import DEFAULT_KINDS, KINDS


def test_presets_name_kinds_each_once_and_their_paper():
    for paper, slots, _ in PRESETS.values():
        assert {*slots.kinds, *slots.fillers} <= KINDS.keys()
        assert len(slots.kinds) == sum(map(len, slots.each))
        assert slots.number > 0 and "arXiv" in paper


def test_kinds_and_presets_join_in_order_without_repetition():
    assert chosen_kinds(["negate", "replace-size"], ["roesch"]) == (
        "negate", "replace-size", "replace-color", "replace-noun", "replace-location",
    )  # fmt: skip
    assert chosen_kinds([]) == DEFAULT_KINDS


def test_slots_join_those_of_kinds_and_their_numbers_add_up():
    slots = joined_slots(["negate"], ["ce-clip", "aro-order"])
    each = [*PRESETS["ce-clip"].slots.each, *PRESETS["aro-order"].slots.each]
    assert slots == ([["negate"], *each], 8, DEFAULT_KINDS)
    assert joined_slots(["negate"], []) is None


def test_only_what_reads_well_is_made_by_default():
    assert not any(kind.startswith(("shuffle", "add", "negate")) for kind in DEFAULT_KINDS)
    assert all(kind.source and kind.candidates.__doc__ for kind in KINDS.values())
    assert {kind for preset in PRESETS.values() for kind in preset.slots.kinds} >= {
        kind for kind in DEFAULT_KINDS if kind not in ("replace-subject", "replace-object")
    }
