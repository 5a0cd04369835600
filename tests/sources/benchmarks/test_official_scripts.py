"""The official score of each benchmark, against a script that reads its files in the plainest way.

The score of an image and a caption is a number from their names, of few values, so that there are
ties.
"""

import csv
import json
import random
from collections import defaultdict

import pytest

from hnclip_cli.errors import InputError
from hnclip_cli.evaluation.report import evaluate
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import hash64

PREFIX = b"\x89PNG\r\n"  # of what passes for an image
COLORS = ("red", "blue", "green", "black")


def score(image, caption):
    return hash64(image, caption) % 8 / 8


def official(folder, name):
    """The official numbers of hnclip, by name, and of how many observations each is."""
    records = folder.read(name)
    for record in records:
        images = record.get("images") or [record["image"]]
        negatives = [negative["caption"] for negative in record.get("negatives", [])]
        captions = record.get("captions") or [record["caption"], *negatives]
        paths = [image.removeprefix(f"{folder.images}/") for image in images]
        record["scores"] = [[score(path, caption) for caption in captions] for path in paths]
    report = evaluate(records, rounds=0)["benchmarks"][name]
    return {title: (entry["value"], entry["n"]) for title, entry in report.items()}


def means(outcomes):
    """The mean of each list of outcomes, and how many there are."""
    return {name: (sum(of) / len(of), len(of)) for name, of in outcomes.items()}


def two_by_two(images, captions):
    """The four comparisons of BiVLC's evaluation, under its names."""
    (i0, i1), (c0, c1) = images, captions
    s00, s01, s10, s11 = score(i0, c0), score(i0, c1), score(i1, c0), score(i1, c1)
    return {
        "Ipos_2T": s00 > s01,
        "Ineg_2T": s11 > s10,
        "Tpos_2I": s00 > s10,
        "Tneg_2I": s11 > s01,
    }


def triple(images, captions):
    """Text, image and group score."""
    halves = two_by_two(images, captions)
    text = halves["Ipos_2T"] and halves["Ineg_2T"]
    image = halves["Tpos_2I"] and halves["Tneg_2I"]
    return {"text": text, "image": image, "group": text and image}


def pair(number):
    """Two captions, as long as anybody likes."""
    draw = random.Random(number)
    one, other = draw.sample(COLORS, 2)
    return f"A {one} cup, number {number}.", f"A {other} cup, number {number}."


def write_table(path, rows):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    table = pyarrow.Table.from_pylist(rows)
    if path.suffix == ".parquet":
        pytest.importorskip("pyarrow.parquet").write_table(table, path)
        return
    with pyarrow.ipc.new_stream(path, table.schema) as stream:
        stream.write_table(table)


def picture(*words):
    return {"bytes": PREFIX + repr(words).encode(), "path": None}


def test_bivlc(folder):
    types = [("replace", "obj"), ("replace", "rel"), ("swap", "att"), ("add", "obj")]
    expected = defaultdict(list)
    for part in range(2):
        rows = []
        for row in range(60):
            number = 100 * part + row
            caption, negative = pair(number)
            kind, subtype = types[number % 4]
            rows.append(
                {
                    "image": picture(number, 0),
                    "caption": caption,
                    "negative_caption": negative,
                    "negative_image": picture(number, 1),
                    "type": kind,
                    "subtype": subtype,
                }
            )
            images = f"{part}-{row}-image.png", f"{part}-{row}-negative.png"
            found = two_by_two(images, (caption, negative))
            scores = triple(images, (caption, negative))
            found |= {"I2T": scores["text"], "T2I": scores["image"], "Group": scores["group"]}
            for name, right in found.items():
                expected[name].append(right)
                expected[f"{name}, {kind}"].append(right)
        write_table(folder.path / f"test-{part:05d}-of-00002.parquet", rows)
    assert official(folder, "bivlc") == means(expected)
    assert len(expected["Group"]) == 120 and 0 < sum(expected["Group"]) < 60


def test_vismin(folder):
    expected = defaultdict(list)
    for part in range(3):
        rows = []
        for row in range(40):
            number = 100 * part + row
            texts = pair(number)
            category = ("object", "attribute", "counting", "relation")[number % 4]
            rows.append(
                {
                    "id": row,  # not unique in the official files
                    "image_0": picture(number, 0),
                    "text_0": texts[0],
                    "image_1": picture(number, 1),
                    "text_1": texts[1],
                    "category": category,
                }
            )
            images = [f"{part}-{row}-image_{side}.png" for side in (0, 1)]
            for name, right in triple(images, texts).items():
                expected[f"{name} score, {category}"].append(right)
        write_table(folder.path / f"data-{part:05d}-of-00003.arrow", rows)
    assert official(folder, "vismin") == means(expected)


def test_coco_counterfactuals(folder):
    lines = []
    for number in range(80):
        captions = pair(number)
        names = [f"{number}_{side}" for side in (0, 1)]
        folder.image(*(f"{name}.jpg" for name in names))
        sides = zip(names, captions, (0, 1), strict=True)
        fields = {f"{k}_{i}": v for n, c, i in sides for k, v in (("image", n), ("caption", c))}
        lines.append(json.dumps({"id": number} | fields))
    folder.write("examples.jsonl", "\n".join(lines))
    expected = defaultdict(list)
    for line in (folder.path / "examples.jsonl").read_text().splitlines():
        row = json.loads(line)
        images = f"{row['image_0']}.jpg", f"{row['image_1']}.jpg"
        for name, right in triple(images, (row["caption_0"], row["caption_1"])).items():
            expected[f"{name} score"].append(right)
    assert official(folder, "coco-counterfactuals") == means(expected)


def test_cola_looks_at_the_images_only(folder, real_data):
    path = real_data / "benchmarks" / "cola" / "COLA_multiobjects_matching_benchmark.json"
    folder.write(path.name, path.read_text())
    expected = []
    for image_1, caption_1, image_2, caption_2 in json.loads(path.read_text()):
        images = [f"VG_100K/{image.split('/')[-1]}" for image in (image_1, image_2)]
        folder.image(*images)
        expected.append(triple(images, (caption_1, caption_2))["image"])
    found = official(folder, "cola")
    assert next(iter(found)) == "multi-object accuracy (image score)"
    assert found["multi-object accuracy (image score)"] == (sum(expected) / 40, 40)


def test_countercurate(folder):
    expected = {}
    for number, what in enumerate(("left_right", "up_down", "left_right_up_down")):
        rows = []
        for index in range(50):
            caption, negative = pair(1000 * number + index)
            names = f"{what}/pos/{index}.jpg", f"{what}/neg/{index}.jpg"
            folder.image(*(f"train_data/{name}" for name in names))
            paths = [f"../../train_data/{name}" for name in names]
            rows.append([caption, paths[0], f'{negative} It says "no".', paths[1]])
        path = folder.path / f"test_{what}_.csv"
        with path.open("w", newline="") as stream:
            writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
            writer.writerows([["captions", "images", "neg_captions", "neg_images"], *rows])
        with path.open(newline="") as stream:
            correct = 0
            for row in csv.DictReader(stream, delimiter="\t"):
                own, other = row["images"][6:], row["neg_images"][6:]
                correct += score(own, row["captions"]) > score(own, row["neg_captions"])
                correct += score(other, row["captions"]) < score(other, row["neg_captions"])
        expected[f"accuracy, {what}"] = (correct / 50 / 2, 100)
    assert official(folder, "countercurate") == expected


def test_cc_neg_counts_ties_as_wrong(folder, monkeypatch):
    monkeypatch.setattr("hnclip_cli.sources.benchmarks.foils.CC_NEG_EVALUATED", 70)
    paths, annotations = [], []
    for number in range(100):
        caption, negated = pair(number)
        paths.append(f"/workspace/datasets/cc3m/cc3m_subset_images_extracted_final/{number}.jpg")
        annotations.append(
            {"json": {"caption": caption}, "sop_data": {"negative-prompt": f"{negated}, not"}}
        )
    folder.write("ccneg_preprocessed.json", {"image_paths": paths, "annotations": annotations})
    correct = 0
    for path, note in list(zip(paths, annotations, strict=True))[-70:]:
        image = path.removeprefix("/workspace/datasets/cc3m/")
        folder.image(image)
        negated = note["sop_data"]["negative-prompt"].replace(",", "")
        correct += score(image, note["json"]["caption"]) > score(image, negated)
    assert official(folder, "cc-neg") == {"accuracy": (correct / 70, 70)}


def half_truths(part, count):
    kinds = ("entity", "relation")
    return [
        {
            "id": str(row),
            "image": picture(part, row),
            "anchor": f"A cup, {part} {row}.",
            "half_truth": f"A cup and a cat, {part} {row}.",
            "full_truth": f"A cup and a fork, {part} {row}.",
            "triplet_type": kinds[row % 3 == 0],
        }
        for row in range(count)
    ]


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_half_truths_ties_lose_and_files_count_equally(folder, ending):
    expected = defaultdict(list)
    by_file = defaultdict(list)
    for part, count in (("coco_qwen", 60), ("coco_mistral", 30), ("cc3m_qwen", 90)):
        rows = half_truths(part, count)
        path = folder.path / f"{part}.{ending}"
        if ending == "jsonl":
            rows = [row | {"image": f"{part}/{row['id']}.jpg"} for row in rows]
            folder.image(*(row["image"] for row in rows))
            path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        else:
            write_table(path, rows)
        for row in rows:
            image = row["image"] if ending == "jsonl" else f"{part}-{row['id']}.png"
            full, anchor, half = (
                score(image, row[name]) for name in ("full_truth", "anchor", "half_truth")
            )
            for name, right in (("HT", anchor > half), ("COR", full > anchor > half)):
                expected[f"{name}, {part}"].append(right)
                expected[f"{name}, {part}, {row['triplet_type']}"].append(right)
        for name in ("HT", "COR"):
            of = expected[f"{name}, {part}"]
            by_file[f"{name}, mean of 3 files"].append(sum(of) / len(of))
    found = official(folder, "half-truths")
    for name, of in by_file.items():
        assert found.pop(name) == (pytest.approx(sum(of) / 3, abs=1e-12), 180)
    assert found == means(expected)
    assert 0 < sum(expected["COR, cc3m_qwen"]) < sum(expected["HT, cc3m_qwen"]) < 90


def binary_average_precision(scores, labels):
    """As torchmetrics: a threshold at each distinct score."""
    total, before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        chosen = [label for score, label in zip(scores, labels, strict=True) if score >= threshold]
        recall = sum(chosen) / sum(labels)
        total += (recall - before) * sum(chosen) / len(chosen)
        before = recall
    return total


def test_cola_single_is_the_mean_average_precision_of_captions_on_hard_images(folder):
    draw = random.Random(0)
    labels = [f"{color} {thing}" for color in COLORS for thing in ("plate", "cup")]
    expected = {}
    for name, stem in (
        ("GQA", "VG_100K/{}.jpg"),
        ("CLEVR", "CLEVR_{}.png"),
        ("PACO", "{:012d}.jpg"),
    ):
        data = []
        for number in range(50):
            image = stem.format(number)
            folder.image(image)
            hard = [draw.randrange(4) > 0 for _ in labels]
            true = [is_hard and draw.randrange(3) == 0 for is_hard in hard]
            true[-1] = False  # the last caption is true for nothing
            entry = [image.split("/")[-1], {"plate": {}}, [*map(int, true)], [*map(int, hard)]]
            data.append(entry if name != "PACO" else [entry[0], *entry[2:]])
        folder.write(f"COLA_singleobjects_benchmark_{name}.json", {"labels": labels, "data": data})
        precisions = []
        for k, label in enumerate(labels):
            if not any(true[k] for *_, true, _ in data):
                continue
            asked = [
                (score(stem.split("{")[0] + row[0] if name == "GQA" else row[0], label), row[-2][k])
                for row in data if row[-1][k]
            ]  # fmt: skip
            precisions.append(binary_average_precision(*map(list, zip(*asked, strict=True))))
        expected[f"mAP, {name}"] = (sum(precisions) / len(precisions), len(precisions))
    found = official(folder, "cola-single")
    assert found == {name: (pytest.approx(value), n) for name, (value, n) in expected.items()}
    assert [n for _, n in found.values()] == [7, 7, 7]


@pytest.mark.parametrize("entry", [5, ["1.jpg"], ["1.jpg", [1], [1, 0]], [1, [1], [1]]])
def test_an_entry_of_cola_single_that_is_none_is_named(folder, entry):
    folder.image("1.jpg")
    content = {"labels": ["a cup"], "data": [["1.jpg", [1], [1]], entry]}
    folder.write("COLA_singleobjects_benchmark_PACO.json", content)
    with pytest.raises(InputError, match=r"item 'image 1': not an entry"):
        folder.read("cola-single")
    assert len(folder.read("cola-single", policy=ErrorPolicy("skip"))) == 1
