"""Official files against scripts that count their items in the plainest way."""

import csv
import json

import pytest
import yaml

from hnclip_cli.language.window import tokens
from hnclip_cli.sources.benchmarks import karpathy
from hnclip_cli.sources.benchmarks.karpathy import PERTURBATIONS
from hnclip_cli.streams.records import hash64
from tests.sources.benchmarks.conftest import Folder


@pytest.fixture
def benchmarks(real_data):
    return real_data / "benchmarks"


def load(path):
    return json.loads(path.read_text())


def test_sugarcrepe_pp_on_its_photographs(tmp_path, real_data, benchmarks):
    folder = Folder(tmp_path)
    folder.images = real_data / "coco" / "images"
    published = [
        (path.stem, item)
        for path in sorted((benchmarks / "sugarcrepe_pp").glob("*.json"))
        for item in load(path)
    ]
    records = folder.read("sugarcrepe-pp", benchmarks / "sugarcrepe_pp")
    assert len(records) == len(published) == 122
    for record, (subset, item) in zip(records, published, strict=True):
        assert (record["subset"], folder.names(record)) == (subset, [item["filename"]])
        assert record["captions"] == [
            item["caption"], item["caption2"], item["negative_caption"],
        ]  # fmt: skip


def test_valse_counts_the_confirmed_items_of_eleven_files(folder, benchmarks):
    confirmed = []
    for path in sorted((benchmarks / "valse").glob("*.json")):
        items = load(path)
        folder.image(*(item["image_file"] for item in items.values()))
        confirmed += [
            (path.stem, item["caption"], item["foil"])
            for item in items.values()
            if item["mturk"]["caption"] >= 2
        ]
    records = folder.read("valse", benchmarks / "valse")
    assert [(r["subset"], r["caption"], r["negatives"][0]["caption"]) for r in records] == confirmed
    assert 200 < len(confirmed) < 275
    assert len({record["tags"]["phenomenon"] for record in records}) == 7


def test_vl_checklist_reads_every_annotation_of_its_tree(folder, benchmarks):
    base = benchmarks / "vl_checklist"
    count, absent, first_texts = 0, 0, []
    for path in sorted(base.rglob("*.yaml"), key=str):
        config = yaml.safe_load(path.read_text())
        if not (base / config["ANNO_PATH"]).is_file():
            absent += 1
            continue
        items = load(base / config["ANNO_PATH"])
        count += len(items)
        for image, texts in items:
            folder.image(f"{config['IMG_ROOT']}/{image}")
            first_texts.append((texts["POS"][0], texts["NEG"][0]))
    records = folder.read("vl-checklist", base)
    assert len(records) == count > 800
    assert [(r["caption"], r["negatives"][0]["caption"]) for r in records] == first_texts
    assert f": {absent} annotations are not there: " in folder.notes[0]


def test_comvg_has_a_record_a_row(folder, benchmarks):
    with (benchmarks / "comvg" / "ComVG.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        folder.image(f"VG_100K/{row['pos_image_id']}.jpg", f"VG_100K_2/{row['neg_image_id']}.jpg")
    records = folder.read("comvg", benchmarks / "comvg")
    assert len(records) == len(rows) == 60
    assert [(r["captions"], r["subset"]) for r in records] == [
        ([row["sentence"]], row["neg_value"]) for row in rows
    ]


def test_imagecode_has_a_record_a_description(folder, benchmarks):
    sets = load(benchmarks / "imagecode" / "valid_data.json")
    for name in sets:
        folder.image(*(f"{name}/img{3 * number + 1}.jpg" for number in range(10)))
    records = folder.read("imagecode", benchmarks / "imagecode")
    described = [
        (f"{name}/img{3 * int(index) + 1}.jpg", text)
        for name, texts in sets.items()
        for index, text in texts.items()
    ]
    found = [(folder.names(r)[r["truth"][0][0]], r["captions"][0]) for r in records]
    assert found == described
    static = sum(name.startswith("open-images") for name, _ in described)
    assert sum(record["subset"] == "static" for record in records) == static


def test_coco_order_and_retrieval_have_a_record_a_caption(folder, benchmarks):
    entries = load(benchmarks / "aro" / "coco_karpathy_test.json")
    folder.image(*(entry["image"] for entry in entries))
    captions = [caption for entry in entries for caption in entry["caption"]]
    retrieval = folder.read("coco-retrieval", benchmarks / "aro")
    assert [record["caption"] for record in retrieval] == captions
    order = folder.read("aro-coco-order", benchmarks / "aro")
    assert len(order) == len(captions) == 300
    kinds = [negative["kind"] for record in order for negative in record["negatives"]]
    assert all(kinds.count(kind) > 0.85 * len(order) for kind in PERTURBATIONS)
    assert all(record["negatives"] for record in order)


def test_word_orders_count_as_in_the_official_code(folder, benchmarks, monkeypatch):
    """It scores all five options by their tokens; the first of the largest is right at index 0."""
    for entry in load(benchmarks / "aro" / "coco_karpathy_test.json"):
        folder.image(entry["image"])

    def scored():
        for record in folder.read("aro-coco-order", benchmarks / "aro"):
            options = [record["caption"], *(one["caption"] for one in record["negatives"])]
            yield [hash64(*tokens(option)) for option in options]

    ours = [all(true > false for false in others) for true, *others in scored()]
    monkeypatch.setattr(karpathy, "_is_same", lambda text, caption: False)
    official = [scores.index(max(scores)) == 0 for scores in scored()]
    assert ours == official and 0 < sum(ours) < len(ours)
