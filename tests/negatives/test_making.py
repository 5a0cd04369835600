"""The function behind hnclip negatives; processes at work are in test_workers.py."""

import gc
import io

import pytest

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.negatives.fitting import fit
from hnclip_cli.negatives.generators.registry import GENERATORS, Generator
from hnclip_cli.negatives.generators.written import WrittenMaker
from hnclip_cli.negatives.making import make_negatives
from hnclip_cli.streams.garbage import COLLECT_AFTER
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.streams.records import Record
from tests.conftest import to_lines

pytestmark = pytest.mark.usefixtures("parser")
CAPTIONS = [{"id": str(n), "caption": f"{n} red cats on a black bed"} for n in range(40)]


def listed(*args, **options):
    return list(make_negatives(*args, **options))


def test_dicts_get_negatives_and_stay_as_they_are():
    record = {"caption": "A red car behind a blue bus.", "x": [1]}
    (made,) = make_negatives([record], ["swap-adjective"])
    assert [negative["caption"] for negative in made["negatives"]] == [
        "A blue car behind a red bus."
    ]
    assert made == {**record, "negatives": made["negatives"]}
    assert "negatives" not in record


def test_kinds_and_presets_are_joined_and_default():
    kinds = {n["kind"] for r in listed(CAPTIONS[:3], ["shuffle-words"], presets=["roesch"])
             for n in r["negatives"]}  # fmt: skip
    assert {"replace-color", "shuffle-words"} <= kinds and "replace-verb" not in kinds
    assert listed(CAPTIONS[:3]) == listed(CAPTIONS[:3], [])


def test_a_preset_gives_as_many_as_its_paper_where_its_own_kinds_find_too_few():
    caption = [{"id": "1", "caption": "A woman in a red jacket skiing down a slope"}]
    assert [len(made["negatives"]) for made in make_negatives(caption, ["swap-noun"])] == [0]
    for preset, count in (("ce-clip", 4), ("negclip", 2), ("roesch", 3), ("svlc", 1)):
        (made,) = make_negatives(caption, presets=[preset])
        assert len({negative["caption"] for negative in made["negatives"]}) >= count
    (made,) = make_negatives(caption, presets=["ce-clip"], per_caption=6)
    assert len(made["negatives"]) == 6


def test_files_and_what_they_hold_are_the_same(tmp_path):
    (tmp_path / "true.jsonl").write_bytes(to_lines({"group": "1", "caption": "a red cat"}))
    model = fit(CAPTIONS)
    model.save(str(tmp_path / "fitted.json"))
    records = [{**record, "group": "1"} for record in CAPTIONS]
    names = {"true_captions": str(tmp_path / "true.jsonl"), "fitted": str(tmp_path / "fitted.json")}
    held = {"true_captions": [{"group": "1", "caption": "a red cat"}], "fitted": model}
    assert listed(records, **names) == listed(records, **held) != listed(records)
    with pytest.raises(HnclipError, match=r"none.json: cannot read it"):
        make_negatives([], fitted=str(tmp_path / "none.json"))


def test_words_of_ones_own_are_used(tmp_path):
    (tmp_path / "protect.tsv").write_text("word\nred\n")
    kinds = ["replace-color"]
    assert all(made["negatives"] for made in make_negatives(CAPTIONS, kinds))
    for workers in (1, 2):
        made = listed(CAPTIONS, kinds, words=str(tmp_path), workers=workers)
        assert all("red" in n["caption"] for record in made for n in record["negatives"])


def test_workers_and_plain_iterables_change_nothing():
    whole = listed(CAPTIONS)
    assert listed(iter(CAPTIONS), workers=2) == whole
    reader = RecordReader(io.BytesIO(to_lines(*CAPTIONS)))
    assert listed(reader, workers=0) == whole


def test_a_bad_record_is_raised_in_its_place_or_skipped():
    records = [*CAPTIONS[:2], {"image": "x"}, CAPTIONS[2]]
    made, found = iter(make_negatives(records)), []
    with pytest.raises(InputError, match='records:3: missing field "caption"'):
        found.extend(made)
    assert len(found) == 2
    policy = ErrorPolicy("skip")
    assert len(listed(records, policy=policy)) == 3
    assert policy.num_skipped == 1


def test_the_collector_of_the_caller_is_left_as_it_was():
    before = gc.get_threshold()
    made = iter(make_negatives(CAPTIONS, ["replace-color"]))
    next(made)
    assert gc.get_threshold()[0] == COLLECT_AFTER
    made.close()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


DYING = """
import os, signal
from hnclip_cli.negatives.generators.registry import Generator

class Maker:
    def negatives(self, records):
        if any(record["id"] == "5" for record in records):
            os.kill(os.getpid(), signal.SIGKILL)
        return [[] for _ in records]

    def summary(self):
        return []

GENERATORS = {"dying": Generator(lambda choosing: Maker(), batch_size=5, in_processes=True)}
"""


def test_a_process_that_dies_names_the_records(tmp_path, monkeypatch):
    (tmp_path / "dying.py").write_text(DYING)
    monkeypatch.setenv("HNCLIP_PLUGINS", str(tmp_path / "dying.py"))
    records = [Record(record, "x.jsonl", n + 1) for n, record in enumerate(CAPTIONS)]
    with pytest.raises(HnclipError, match=r"x.jsonl:6: a worker process died .*signal 9"):
        listed(records, generator="dying", workers=2)


def test_a_generator_may_be_a_function_that_writes(monkeypatch):
    def write(record):
        if record["id"] == "1":
            raise record.error("nothing to say")
        return [("replace-color", record["caption"].replace("red", "blue"))]

    entry = Generator(lambda choosing: WrittenMaker(choosing, write), workers=2)
    monkeypatch.setattr(GENERATORS, "built_in", {**GENERATORS.built_in, "ours": entry})
    policy = ErrorPolicy("skip")
    made = make_negatives(CAPTIONS, ["replace-color"], generator="ours", policy=policy)
    assert [n["caption"] for record in made for n in record["negatives"]] == [
        f"{n} blue cats on a black bed" for n in range(40) if n != 1
    ]
    assert (policy.num_skipped, made.summary()) == (1, ["39 of 39 written negatives kept"])
    with pytest.raises(InputError, match="records:2: nothing to say"):
        listed(CAPTIONS, ["replace-color"], generator="ours")


def test_a_generator_that_is_not_there_is_no_surprise():
    with pytest.raises(KeyError, match="nobody"):
        make_negatives([], generator="nobody")


def test_captions_that_are_not_english_get_no_negatives_and_are_counted():
    records = [{"caption": "Ein Hund liegt auf dem Sofa"}, {"caption": "A dog on a sofa"}]
    for workers in (1, 2):
        made = make_negatives(records, workers=workers)
        german, english = list(made)
        assert german["negatives"] == [] and english["negatives"]
        assert made.summary() == ["captions that are not English, and get no negatives: 1"]
    made = make_negatives(records, ["shuffle-words"])
    assert all(record["negatives"] for record in made) and made.summary() == []


def test_what_clip_does_not_read_is_no_place_for_a_negative():
    long = "They are here and there, and they are glad to be where they are. " * 6
    records = [{"caption": f"{long} A red car is behind a bus."}]
    made = make_negatives(records)
    assert next(iter(made))["negatives"] == []
    (line,) = made.summary()
    assert line.startswith("candidates refused, as they change only words that CLIP does not read")
    assert next(iter(make_negatives(records, context_length=248)))["negatives"]


@pytest.mark.parametrize("is_file", [False, True])
def test_protected_words_stay(tmp_path, is_file):
    (tmp_path / "words").write_text("bus\n\n Red Car \n")
    protect = str(tmp_path / "words") if is_file else ["bus", "Red Car"]
    for workers in (1, 2):
        (record,) = make_negatives(
            [{"caption": "A red car behind a bus."}],
            protect=protect,
            per_caption=20,
            workers=workers,
        )
        negatives = [negative["caption"] for negative in record["negatives"]]
        assert negatives and all("red car" in text and "bus" in text for text in negatives)
