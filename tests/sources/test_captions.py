"""Records of odd folders and shards against scripts that read them in the plainest way."""

import csv
import io
import json
import os
import random
import tarfile

import pytest

from hnclip_cli.errors import InputError
from hnclip_cli.sources.captions import split_fields
from hnclip_cli.sources.folders import folder_records
from hnclip_cli.sources.shards import shard_records
from hnclip_cli.streams.fields import FIELDS as OURS
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record

SEEDS = pytest.mark.parametrize("seed", range(15))
IMAGES = (".jpg", ".png", ".webp")
# What metadata may say beside the caption, as JSON.
FIELDS = [
    '"width":3', '"n":NaN', '"group":"train"', '"negatives":"none"', '"id":7', '"crops":[1]',
    '"benchmark":"sugarcrepe"', '"tags":["x"]', '"text":"a text"', '"captions":3', '"image":null',
]  # fmt: skip
CAPTIONS = [
    "", '"caption":"json"', '"caption":["one","two"," "]', '"caption":null', '"captions":["three"]',
    '"caption":"json","captions":["json","four"]',
]  # fmt: skip
OTHERS = ["a.mp4", ".DS_Store", "README", "b.heic2", "x.tar.gz", "lonely.txt"]


def metadata(draw, *first):
    """A line of metadata in JSON."""
    fields = [*first, draw.choice(CAPTIONS), *draw.sample(FIELDS, draw.randrange(3))]
    return "{" + ",".join(filter(None, fields)) + "}"


def plainly(ours, beside, lines):
    """The records of an image, by the words of docs/images.md."""
    records = []
    for place, line in enumerate(lines or [{}]):
        line = {name: None if value != value else value for name, value in line.items()}
        captions, others = [], {}
        for name in ("caption", "captions"):
            value = line.get(name)
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str) and text.strip() and text not in captions:
                    captions.append(text)
        if not captions and isinstance(line.get("text"), str):
            captions = [line["text"]]
        for name, value in line.items():
            if name == "caption" or (name == "captions" and isinstance(value, list)):
                continue
            others[f"metadata_{name}" if name in OURS else name] = value
        if beside and (place == 0 or not captions):
            if unused := [text for text in captions if text not in beside]:
                others["metadata_caption"] = unused
            captions = beside
        for caption in captions or [None]:
            record = {**ours, **({} if caption is None else {"caption": caption}), **others}
            record["id"] = ours["id"] + (f"#{len(records) + 1}" if records else "")
            records.append(record)
    return records


def make_folder(draw, root):
    for below in ("", "sub", "sub/deep"):
        folder = root / below
        folder.mkdir()
        names = [f"{n}{draw.choice(IMAGES)}" for n in range(3)]
        for name in [*names, *draw.sample(OTHERS, 2)]:
            (folder / name).write_text("x")
        for name in draw.sample(names, 2):
            (folder / name).with_suffix(".txt").write_text(draw.choice(["a\nb\n", " c \n"]))
        lines = [
            metadata(draw, f'"file_name":"{draw.choice(["", "./", "././"])}{name}"')
            for name in draw.choices(names, k=3)
        ]
        (folder / "metadata.jsonl").write_text("\n".join(lines))
        if draw.random() < 0.5:
            with (folder / "metadata.csv").open("w", newline="") as stream:
                rows = [(f"./{names[0]}", "from, csv", "1"), (names[1], "", "2")]
                csv.writer(stream).writerows([("file_name", "caption", "group"), *rows])


def read_folder_plainly(root, caption_lines):
    lines, images, num_unread = {}, [], 0
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in names:
            path = os.path.join(folder, name)
            if name == "metadata.jsonl":
                with open(path) as stream:
                    found = [json.loads(line) for line in stream]
                if "metadata.csv" in names:
                    with open(os.path.join(folder, "metadata.csv"), newline="") as stream:
                        found += list(csv.DictReader(stream))
                for line in found:
                    image = os.path.normpath(os.path.join(folder, line.pop("file_name")))
                    lines.setdefault(image, []).append(line)
            elif name.endswith(IMAGES) and name[0] != ".":
                images.append(path)
            else:
                stem = name.removesuffix(".txt")
                is_read = any(stem + ending in names for ending in IMAGES) and stem != name
                num_unread += name != "metadata.csv" and not is_read
    records = []
    for path in sorted(images):
        beside = []
        if os.path.exists(text := os.path.splitext(path)[0] + ".txt"):
            with open(text) as stream:
                content = stream.read().strip()
            beside = content.splitlines() if caption_lines else [content]
        ours = {"id": os.path.relpath(path, root), "image": path}
        records += plainly(ours, beside, lines.get(path, []))
    return records, num_unread


@SEEDS
def test_a_folder_gives_the_records_of_a_plain_script_and_counts_what_is_not_read(tmp_path, seed):
    draw, policy = random.Random(seed), ErrorPolicy()
    make_folder(draw, tmp_path / "images")
    by_line = draw.random() < 0.5
    found = list(folder_records(str(tmp_path / "images"), (), policy, caption_lines=by_line))
    expected, num_unread = read_folder_plainly(str(tmp_path / "images"), by_line)
    assert found == expected
    assert policy.num_odd.total() == num_unread


def shard_members(draw):
    for key in range(4):
        yield f"{key}.jpg", "x"
        for ending, content in (
            ("depth.png", "x"), ("txt", "a\nb"), ("caption", " c "), ("json", metadata(draw)),
            ("cls", "1"), ("neg_image.0.jpg", "x"), ("neg_image.1.jpg", "x"), ("neg_caption", "d"),
        ):  # fmt: skip
            if draw.random() < 0.5:
                yield f"{key}.{ending}", content
    yield from ((name, "x") for name in ("__index__.txt", "README"))


@SEEDS
def test_a_shard_gives_the_records_of_a_plain_script_and_counts_what_is_not_read(tmp_path, seed):
    draw, policy, path = random.Random(seed), ErrorPolicy(), str(tmp_path / "a.tar")
    members = dict(shard_members(draw))
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content.encode()))
    by_line, every_image = draw.random() < 0.5, draw.random() < 0.5
    expected, num_unread = [], 2
    for key in map(str, range(4)):
        own = {name[2:]: text for name, text in members.items() if name.startswith(f"{key}.")}
        ours = {"id": key, "image": f"{path}::{key}.jpg"}
        if "neg_caption" in own:
            ours["negatives"] = [{"caption": "d", "kind": "unspecified"}]
        if images := [name for name in own if name.startswith("neg_image")]:
            ours["negative_images"] = [f"{path}::{key}.{name}" for name in images]
        text = own.get("txt", own.get("caption", "")).strip()
        beside = text.splitlines() if by_line else [text] if text else []
        lines = [json.loads(own["json"])] if "json" in own else []
        has_depth = "depth.png" in own
        if has_depth and every_image:
            ours["group"] = key
        expected += plainly(ours, beside, lines)
        if has_depth and every_image:
            further = {"id": f"{key}.depth.png", "image": f"{path}::{key}.depth.png"}
            expected += plainly(ours | further, beside, lines)
        num_unread += (
            (has_depth and not every_image) + ("cls" in own) + ("caption" in own and "txt" in own)
        )
    found = shard_records([path], policy, caption_lines=by_line, every_image=every_image)
    assert list(found) == expected
    assert policy.num_odd.total() == num_unread


def test_a_caption_that_is_no_text_is_a_bad_line():
    with pytest.raises(InputError, match=r'^m:4: field "caption" is no text; got 3'):
        split_fields(Record({"caption": 3}, "m", 4))
