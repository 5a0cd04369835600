from hnclip_cli.negatives.kinds.presets import PRESETS, chosen_kinds
from hnclip_cli.negatives.kinds.registry import DEFAULT_KINDS, KINDS


def test_presets_name_kinds_each_once_and_their_paper():
    for preset in PRESETS.values():
        assert set(preset.kinds) <= KINDS.keys()
        assert len(set(preset.kinds)) == len(preset.kinds)
        assert "arXiv" in preset.paper


def test_kinds_and_presets_join_in_order_without_repetition():
    assert chosen_kinds(["negate", "replace-size"], ["roesch"]) == (
        "negate", "replace-size", "replace-color", "replace-noun", "replace-location",
    )  # fmt: skip
    assert chosen_kinds([]) == DEFAULT_KINDS


def test_only_what_reads_well_is_made_by_default():
    assert not any(kind.startswith(("shuffle", "add", "negate")) for kind in DEFAULT_KINDS)
    assert all(kind.source and kind.candidates.__doc__ for kind in KINDS.values())
    assert {kind for preset in PRESETS.values() for kind in preset.kinds} >= {
        kind for kind in DEFAULT_KINDS if kind not in ("replace-subject", "replace-object")
    }
