"""Images of negatives, by a tiny pipeline of random weights."""

import json

import numpy as np
import pytest
from PIL import Image

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.sources import painting
from hnclip_cli.sources.painting import Painted, pairs_of
from hnclip_cli.streams.images import ImageRoot
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record

pytest.importorskip("diffusers", reason="pip install 'hnclip[inpaint]'")

from hnclip_cli.models.diffusion import NotShown, Painter
from tests.models import tiny_pipeline

CAPTION = "A red toy car beside a small dog."
RED = {"caption": "A blue toy car beside a small dog.", "kind": "replace-color"}
RED["edits"] = [[2, 5, "blue"]]
BOX = [10, 20, 30, 24]


@pytest.fixture(scope="module")
def painters(tmp_path_factory):
    folder = tiny_pipeline.save(tmp_path_factory.mktemp("pipeline"))
    return {task: Painter(folder, task, device="cpu", steps=2) for task in ("inpaint", "generate")}


@pytest.fixture
def photograph(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "1.png")
    return pixels


@pytest.fixture
def paint(tmp_path, painters):
    def paint(*records, task="inpaint", kinds=(), seed=0, folder="out", policy=None):
        root = ImageRoot(str(tmp_path))
        arguments = (painters[task], kinds, seed, root, policy)
        painted = Painted(records, str(tmp_path / folder), *arguments)
        return list(painted), painted

    return paint


def record(*negatives, **fields):
    return {"id": "7", "image": "1.png", "caption": CAPTION, "negatives": [*negatives]} | fields


def pixels_of(folder, name):
    return np.asarray(Image.open(folder / name))


def test_only_the_box_is_painted_and_the_record_names_the_image(paint, photograph, tmp_path):
    other = {"caption": "A dog.", "kind": "swap-noun"}
    (made,), painted = paint(record(other, RED | {"box": BOX}), kinds=("replace-color",))
    negative = made["negatives"][0]
    assert negative == RED | {"box": BOX, "image": negative["image"]}
    assert made["negatives"][1] == other
    assert made["negative_images"] == [negative["image"]]
    image = pixels_of(tmp_path, negative["image"])
    inside = np.zeros((60, 80), bool)
    inside[20:44, 10:40] = True
    assert (image[~inside] == photograph[~inside]).all()
    assert (image[inside] != photograph[inside]).mean() > 0.9
    assert painted.summary() == [
        "1 images made, 0 were there", "negatives without an image: 1 of other kinds",
    ]  # fmt: skip


def test_a_mask_says_it_to_the_pixel(paint, photograph, tmp_path):
    mask = np.zeros((60, 80), np.uint8)
    mask[5:9, 7:70:2] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    (made,), _ = paint(record(RED | {"mask": "mask.png"}))
    image = pixels_of(tmp_path, made["negative_images"][0])
    assert (image[mask == 0] == photograph[mask == 0]).all()
    assert (image[mask == 255] != photograph[mask == 255]).any()


@pytest.mark.parametrize("task", ["inpaint", "generate"])
def test_an_image_depends_on_its_record_and_settings_alone(paint, photograph, tmp_path, task):
    one = record(RED | {"box": BOX})
    two = record(RED | {"box": BOX}, id="8")
    orders = {"a": [one, two], "b": [two, one], "c": [one], "d": [two]}
    for folder, records in orders.items():
        paint(*records, task=task, folder=folder)

    def files(folder):
        return {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()}

    assert files("a") == files("b") == files("c") | files("d")
    assert len(set(files("a").values())) == 2
    paint(one, task=task, folder="e", seed=1)
    paint(record(RED | {"box": BOX, "prompt": "a blue car"}), task=task, folder="e")
    assert len({*files("e").values(), *files("c").values()}) == 3


def test_an_image_that_is_there_whole_is_not_made_again(paint, photograph, tmp_path, monkeypatch):
    records = [record(RED | {"box": BOX}, id=str(number)) for number in range(3)]
    first, _ = paint(*records)
    paths = [tmp_path / made["negative_images"][0] for made in first]
    good = [path.read_bytes() for path in paths]
    paths[0].write_bytes(good[0][:-20])
    paths[1].unlink()
    times = paths[2].stat().st_mtime_ns
    again, painted = paint(*records)
    assert (again, [path.read_bytes() for path in paths]) == (first, good)
    assert painted.summary() == ["2 images made, 1 were there"]
    assert paths[2].stat().st_mtime_ns == times
    assert len(list((tmp_path / "out").iterdir())) == 3


@pytest.mark.parametrize(
    ("fields", "box"),
    [
        ({"regions": [{"box": BOX, "text": "toy car"}]}, BOX),
        ({"annotations": [{"bbox": BOX, "category": "car"}, {"bbox": [1] * 4}]}, BOX),
        ({"objects": [{"x": 10, "y": 20, "w": 30, "h": 24, "names": ["auto", "Car"]}]}, BOX),
        ({"annotations": [{"bbox": BOX, "category": "dog"}]}, None),
        ({"annotations": [{"bbox": BOX, "category": "car"}] * 2}, BOX),
        ({"annotations": [{"bbox": b, "category": "car"} for b in (BOX, [1, 2, 3, 4])]}, None),
        ({"objects": [{"color": "red", "shape": "car", "x": 1, "y": 2}], "annotations": 3}, None),
        ({}, None),
    ],
)
def test_boxes_of_a_record_are_found_by_the_words_that_change(fields, box):
    found = painting._box(Record(record(RED) | fields), RED)
    assert found == (tuple(box) if box else None)


def test_the_thing_that_is_replaced_is_nearer_than_others():
    annotations = [{"bbox": BOX, "category": "dog"}, {"bbox": [1, 1, 2, 2], "category": "car"}]
    negative = {"caption": "A red toy car beside a small cat.", "edits": [[29, 32, "cat"]]}
    given = Record(record(annotations=annotations))
    assert painting._box(given, negative) == tuple(BOX)
    assert painting._box(given, {"caption": negative["caption"], "edits": "?"}) == tuple(BOX)
    small = {"caption": "A red toy car beside a big dog.", "edits": [[23, 28, "big"]]}
    assert painting._box(given, small) == tuple(BOX)


def test_a_negative_without_a_place_is_counted(paint, photograph):
    (made,), painted = paint(record(RED))
    assert made == record(RED)
    assert painted.summary()[1] == (
        "negatives without an image: 1 without a mask, or a box for what changes"
    )


@pytest.mark.parametrize(
    ("negative", "said"),
    [
        ({"box": [1, 2, 3]}, "a negative has a bad box"),
        ({"box": [500, 2, 9, 9]}, "a region lies outside of its image"),
        ({"mask": 3}, "a negative has a bad mask"),
        ({"mask": "none.png"}, "image not found"),
        ({"mask": "small.png"}, "a mask is not of the size of its image"),
        ({"mask": "black.png"}, "a mask has no white pixel"),
        ({"box": BOX, "prompt": ""}, "a negative has a bad prompt"),
    ],
)
def test_a_bad_place_is_a_bad_record(paint, photograph, tmp_path, negative, said):
    Image.new("L", (8, 6), "white").save(tmp_path / "small.png")
    Image.new("L", (80, 60)).save(tmp_path / "black.png")
    with pytest.raises(InputError, match=said):
        paint(record(RED | negative))
    policy = ErrorPolicy("skip")
    found, _ = paint(record(RED | negative), record(RED | {"box": BOX}, id="8"), policy=policy)
    assert ([made["id"] for made in found], policy.num_skipped) == (["8"], 1)


def test_what_the_pipeline_does_not_show_is_counted_and_nothing_is_written(
    paint, photograph, painters, tmp_path, monkeypatch
):
    def withheld(self, *_, **__):
        raise NotShown("images withheld by the pipeline's safety checker")

    monkeypatch.setattr(Painter, "paint", withheld)
    policy = ErrorPolicy()
    (made,), _ = paint(record(RED | {"box": BOX}), policy=policy)
    assert "negative_images" not in made and "image" not in made["negatives"][0]
    assert policy.num_odd == {"images withheld by the pipeline's safety checker": 1}
    assert list((tmp_path / "out").iterdir()) == []


def test_items_are_those_of_inpaintcoco(paint, photograph, tmp_path):
    (made,), _ = paint(record(RED | {"box": BOX}, negative_images=["2.png"]))
    assert made["negative_images"] == [made["negatives"][0]["image"], "2.png"]
    (item,) = pairs_of(made, "inpaint")
    assert item == {
        "id": "7/0",
        "images": ["1.png", made["negatives"][0]["image"]],
        "captions": [CAPTION, RED["caption"]],
        "truth": [[0, 0], [1, 1]],
        "benchmark": "inpaint",
        "subset": "color",
        "tags": {"concept": "color"},
    }


def test_other_files_than_safetensors_are_refused(tmp_path):
    folder = tiny_pipeline.save(tmp_path / "model")
    for weights in (tmp_path / "model" / "unet").glob("*.safetensors"):
        weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(HnclipError, match="model cannot be loaded"):
        Painter(folder, "inpaint", device="cpu")


def test_code_of_a_model_is_not_run(tmp_path):
    folder = tmp_path / "model"
    tiny_pipeline.save(folder)
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "unet" / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass M: pass")
    for name, value in (("unet", ["mine", "M"]), ("_class_name", ["mine", "M"])):
        (folder / "mine.py").write_text((folder / "unet" / "mine.py").read_text())
        (folder / "model_index.json").write_text(json.dumps({**index, name: value}))
        with pytest.raises(HnclipError, match="model cannot be loaded"):
            Painter(str(folder), "inpaint", device="cpu")
    assert not (tmp_path / "ran").exists()


def test_a_name_is_looked_for_in_the_cache_only(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(HnclipError, match="hf download nobody/nothing before"):
        Painter("nobody/nothing", "generate", device="cpu")
