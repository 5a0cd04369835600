"""A small file of each data set in its documented format, and a plain script that reads it.

The scripts give pairs of image and caption. They share nothing with the readers, and are no longer
than what people write for one file.
"""

import ast
import csv
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

Pairs = list[tuple[str, str]]
CAPTIONS = [
    "A man in a red shirt rides a horse.", "Two dogs, one of them brown, play.", 'A "stop" sign.',
    "Ein Café am See", "a plate | of food", "A cat sleeps on a sofa.",
]  # fmt: skip


class Example(NamedTuple):
    format: str  # as it is recognized
    write: Callable[[Path], Path]  # into an empty folder
    pairs: Callable[[Path], Pairs]


EXAMPLES: dict[str, Example] = {}


def example(format: str, file: str, pairs: Callable[[Path], Pairs]) -> Callable[..., Any]:
    """Makes an example of a function that gives the content of a file, or writes it."""

    def add(make: Callable[[Path], Any]) -> Callable[[Path], Any]:
        def write(folder: Path) -> Path:
            path = folder / file
            content = make(path)
            if content is not None:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
            return path

        EXAMPLES[make.__name__] = Example(format, write, pairs)
        return make

    return add


def lines_of(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def coco_pairs(path: Path) -> Pairs:
    data = json.loads(path.read_text())
    names = {image["id"]: image["file_name"] for image in data["images"]}
    kept = [one for one in data["annotations"] if not one.get("is_rejected")]
    return [(names[one["image_id"]], one["caption"].strip()) for one in kept]


@example("coco", "captions_val2017.json", coco_pairs)
def coco(path: Path) -> str:
    images = [
        {"license": 4, "file_name": f"{i:012d}.jpg", "coco_url": f"http://x/{i}.jpg",
         "height": 427, "width": 640, "date_captured": "2013-11-14", "id": i}
        for i in (139, 285, 632)
    ]  # fmt: skip
    annotations = [
        {"image_id": (139, 285, 632)[n % 3], "id": 900 + n, "caption": f"{caption}\n"}
        for n, caption in enumerate(CAPTIONS)
    ]
    info = {"description": "COCO 2017 Dataset", "year": 2017}
    return json.dumps(
        {"info": info, "licenses": [{"id": 1}], "images": images, "annotations": annotations}
    )


@example("coco", "train.json", coco_pairs)
def vizwiz(path: Path) -> str:
    annotations = [
        {"caption": caption, "image_id": n // 2, "is_precanned": False, "is_rejected": n == 1,
         "id": n, "text_detected": True}
        for n, caption in enumerate(CAPTIONS)
    ]  # fmt: skip
    images = [{"file_name": f"VizWiz_train_{n:08d}.jpg", "id": n} for n in range(3)]
    return json.dumps({"annotations": annotations, "images": images}, indent=1)


def karpathy_pairs(path: Path) -> Pairs:
    images = json.loads(path.read_text())["images"]
    return [
        (f"{image['filepath']}/{image['filename']}", sentence["raw"].strip())
        for image in images
        for sentence in image["sentences"]
    ]


@example("karpathy", "dataset_coco.json", karpathy_pairs)
def karpathy(path: Path) -> str:
    images = [
        {"filepath": "val2014", "sentids": [2 * n, 2 * n + 1],
         "filename": f"COCO_val2014_{n:012d}.jpg", "imgid": n, "split": split, "cocoid": 7000 + n,
         "sentences": [
             {"tokens": caption.split(), "raw": caption, "imgid": n, "sentid": 2 * n + k}
             for k, caption in enumerate(CAPTIONS[n : n + 2])
         ]}
        for n, split in enumerate(["train", "restval", "val", "test"])
    ]  # fmt: skip
    return json.dumps({"images": images, "dataset": "coco"})


@example(
    "textcaps", "TextCaps_0.1_val.json",
    lambda path: [
        (f"{one['image_id']}.jpg", one["caption_str"])
        for one in json.loads(path.read_text())["data"]
    ],
)  # fmt: skip
def textcaps(path: Path) -> str:
    data = [
        {"question": "", "image_id": f"00{n}0c8", "image_classes": ["Book"], "caption_id": n,
         "caption_str": caption, "reference_strs": CAPTIONS, "set_name": "val",
         "image_path": f"train_images/00{n}0c8.jpg"}
        for n, caption in enumerate(CAPTIONS)
    ]  # fmt: skip
    head = {"dataset_type": "val", "dataset_name": "textcaps", "dataset_version": "0.1"}
    return json.dumps(head | {"data": data})


@example(
    "redcaps", "abandoned_2017.json",
    lambda path: [
        (one["url"], one["caption"]) for one in json.loads(path.read_text())["annotations"]
    ],
)  # fmt: skip
def redcaps(path: Path) -> str:
    annotations = [
        {"image_id": f"bpz{n}", "author": "x", "url": f"https://i.redd.it/{n}.jpg",
         "raw_caption": caption.upper(), "caption": caption, "subreddit": "abandoned", "score": 5}
        for n, caption in enumerate(CAPTIONS)
    ]  # fmt: skip
    return json.dumps({"info": {"url": "https://redcaps.xyz"}, "annotations": annotations})


def sbu_pairs(path: Path) -> Pairs:
    data = json.loads(path.read_text())
    return list(zip(data["image_urls"], data["captions"], strict=True))


@example("sbu", "sbu-captions-all.json", sbu_pairs)
def sbu(path: Path) -> str:
    urls = [f"http://static.flickr.com/{n}.jpg" for n in range(len(CAPTIONS))]
    return json.dumps({"image_urls": urls, "user_ids": ["1"] * len(urls), "captions": CAPTIONS})


def region_pairs(path: Path) -> Pairs:
    return [
        (f"{image['id']}.jpg", region["phrase"])
        for image in json.loads(path.read_text())
        for region in image["regions"]
    ]


@example("visual-genome", "region_descriptions.json", region_pairs)
def visual_genome(path: Path) -> str:
    return json.dumps(
        [
            {"regions": [
                {"region_id": 10 * image + n, "width": 82, "height": 139, "image_id": image,
                 "phrase": caption, "y": 57, "x": 421}
                for n, caption in enumerate(CAPTIONS[image:])
            ], "id": image}
            for image in (1, 2, 3)
        ]
    )  # fmt: skip


@example(
    "localized-narratives", "coco_val_localized_narratives.jsonl",
    lambda path: [
        (f"{int(one['image_id']):012d}.jpg", one["caption"])
        for one in map(json.loads, path.read_text().splitlines())
    ],
)  # fmt: skip
def localized_narratives(path: Path) -> str:
    return lines_of(*(
        {"dataset_id": "mscoco_val2017", "image_id": str(137576 + n), "annotator_id": 93,
         "caption": caption, "timed_caption": [{"utterance": "In", "start_time": 0.0}],
         "traces": [[{"x": 0.2, "y": 0.7, "t": 0.02}]], "voice_recording": "coco_val/x.ogg"}
        for n, caption in enumerate(CAPTIONS)
    ))  # fmt: skip


def token_pairs(path: Path) -> Pairs:
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    return [(name.split("#")[0], caption) for name, caption in rows]


@example("flickr", "results_20130124.token", token_pairs)
def flickr_token(path: Path) -> str:
    return "".join(f"{n // 5 + 1000}.jpg#{n % 5}\t{text}\n" for n, text in enumerate(CAPTIONS))


def results_pairs(path: Path) -> Pairs:
    lines = path.read_text().splitlines()[1:]
    lines = [line.replace("| 4   A cat", "| 4| A cat") for line in lines]  # as pandas' users do
    return [(line.split("|")[0], line.split("|", 2)[2].strip()) for line in lines]


@example("flickr", "results.csv", results_pairs)
def flickr_results(path: Path) -> str:
    lines = [f"1000.jpg| {n}| {caption}\n" for n, caption in enumerate(CAPTIONS)]
    return "".join(["image_name| comment_number| comment\n", *lines, "2199.jpg| 4   A cat .\n"])


@example(
    "conceptual-captions", "Train_GCC-training.tsv",
    lambda path: [tuple(line.split("\t")[::-1]) for line in path.read_text().splitlines()],
)  # fmt: skip
def cc3m(path: Path) -> str:
    return "".join(f"{text}\thttp://x.y/{n}.jpg?a=1\n" for n, text in enumerate(CAPTIONS))


@example(
    "conceptual-captions", "cc12m.tsv",
    lambda path: [tuple(line.split("\t")) for line in path.read_text().splitlines()],
)  # fmt: skip
def cc12m(path: Path) -> str:
    return "".join(f"https://x.y/{n}.jpg\t{text}\n" for n, text in enumerate(CAPTIONS))


def table_pairs(image: str, caption: str, delimiter: str) -> Callable[[Path], Pairs]:
    def pairs(path: Path) -> Pairs:
        with path.open(newline="") as stream:
            rows = csv.DictReader(stream, delimiter=delimiter)
            return [(row[image], row[caption]) for row in rows]

    return pairs


def table(columns: list[str], rows: list[list[Any]], delimiter: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([columns, *rows])
    return text.getvalue()


@example("csv", "train.csv", table_pairs("filepath", "title", "\t"))
def open_clip(path: Path) -> str:
    rows = [[n, caption, f"/data/{n}.jpg"] for n, caption in enumerate(CAPTIONS)]
    return table(["", "title", "filepath"], rows, "\t")


@example("csv", "captions.txt", table_pairs("image", "caption", ","))
def flickr8k(path: Path) -> str:
    return table(["image", "caption"], [[f"{n}.jpg", text] for n, text in enumerate(CAPTIONS)], ",")


@example(
    "csv", "flickr_annotations_30k.csv",
    lambda path: [
        (row["filename"], caption)
        for row in csv.DictReader(path.open())
        for caption in ast.literal_eval(row["raw"])
    ],
)  # fmt: skip
def flickr30k_of_the_hub(path: Path) -> str:
    rows = [
        [json.dumps(CAPTIONS[n : n + 3]), json.dumps([n]), ["train", "test"][n % 2], f"{n}.jpg", n]
        for n in range(3)
    ]
    return table(["raw", "sentids", "split", "filename", "img_id"], rows, ",")


@example(
    "csv", "wit_v1.train.all-00000-of-00010.tsv",
    table_pairs("image_url", "caption_reference_description", "\t"),
)  # fmt: skip
def wit(path: Path) -> str:
    columns = ["language", "page_url", "image_url", "page_title", "caption_reference_description"]
    rows = [["en", "https://w", f"https://w/{n}.jpg", "W", text] for n, text in enumerate(CAPTIONS)]
    return table(columns, rows, "\t")


def blip_pairs(path: Path) -> Pairs:
    return [
        (one["image"], caption)
        for one in json.loads(path.read_text())
        for caption in ([one["caption"]] if isinstance(one["caption"], str) else one["caption"])
    ]


@example("json", "coco_karpathy_train.json", blip_pairs)
def blip_train(path: Path) -> str:
    return json.dumps([
        {"caption": caption, "image": f"val2014/COCO_val2014_{n:012d}.jpg", "image_id": f"coco_{n}"}
        for n, caption in enumerate(CAPTIONS)
    ])  # fmt: skip


@example("json", "coco_karpathy_test.json", blip_pairs)
def blip_test(path: Path) -> str:
    return json.dumps([{"image": "val2014/1.jpg", "caption": CAPTIONS}], indent=1)


@example(
    "json", "share-captioner_coco_lcs_sam_1246k_1107.json",
    lambda path: [
        (one["image"], one["conversations"][1]["value"]) for one in json.loads(path.read_text())
    ],
)  # fmt: skip
def sharegpt4v(path: Path) -> str:
    question = {"from": "human", "value": "What do you see?\n<image>"}
    return json.dumps([
        {"id": f"{n:012d}", "image": f"coco/train2017/{n:012d}.jpg",
         "conversations": [question, {"from": "gpt", "value": caption}]}
        for n, caption in enumerate(CAPTIONS)
    ])  # fmt: skip


@example(
    "json", "captions_results.json",
    lambda path: [
        (f"{one['image_id']:012d}.jpg", one["caption"]) for one in json.loads(path.read_text())
    ],
)  # fmt: skip
def coco_results(path: Path) -> str:
    return json.dumps([{"image_id": n, "caption": text} for n, text in enumerate(CAPTIONS)])


@example(
    "json-by-name", "captions.json",
    lambda path: [
        (name, caption)
        for name, captions in json.loads(path.read_text()).items()
        for caption in captions
    ],
)  # fmt: skip
def by_name(path: Path) -> str:
    return json.dumps({"1.jpg": CAPTIONS[:2], "2.jpg": CAPTIONS[2:]})


@example(
    "jsonl", "docci_descriptions.jsonlines",
    lambda path: [
        (one["image_file"], one["description"])
        for one in map(json.loads, path.read_text().splitlines())
    ],
)  # fmt: skip
def docci(path: Path) -> str:
    return lines_of(*(
        {"example_id": f"train_{n:05d}", "split": "train", "image_file": f"train_{n:05d}.jpg",
         "description": caption}
        for n, caption in enumerate(CAPTIONS)
    ))  # fmt: skip


def parquet_pairs(*columns: str) -> Callable[[Path], Pairs]:
    def pairs(path: Path) -> Pairs:
        from pyarrow import parquet

        return [tuple(row[c] for c in columns) for row in parquet.read_table(path).to_pylist()]

    return pairs


@example("parquet", "part-00000-5b54c5d5.snappy.parquet", parquet_pairs("URL", "TEXT"))
def laion(path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    rows = [
        {"SAMPLE_ID": n, "URL": f"http://x/{n}.jpg", "TEXT": text, "HEIGHT": 3, "similarity": 0.3}
        for n, text in enumerate(CAPTIONS)
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=4)


def image_rows() -> list[dict[str, Any]]:
    data = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(data, "JPEG")
    image = {"bytes": data.getvalue(), "path": None}
    return [{"image": image, "caption": CAPTIONS[:3]}, {"image": image, "caption": CAPTIONS[3:]}]


@example(
    "datasets", "saved", lambda path: [("", caption) for caption in 2 * CAPTIONS]
)  # fmt: skip
def datasets(path: Path) -> None:
    """As ``DatasetDict.save_to_disk`` of datasets 4.4 writes it, but for what nobody reads."""
    import pyarrow

    path.mkdir()
    (path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    for split in ("train", "test"):
        (path / split).mkdir()
        names = [f"data-{part:05d}-of-00002.arrow" for part in range(2)]
        state = {"_data_files": [{"filename": name} for name in names], "_split": None}
        (path / split / "state.json").write_text(json.dumps(state, indent=2))
        (path / split / "dataset_info.json").write_text("{}")
        for name, row in zip(names, image_rows(), strict=True):
            rows = pyarrow.Table.from_pylist([row])
            with pyarrow.ipc.new_stream(path / split / name, rows.schema) as writer:
                writer.write_table(rows)


@example(
    "parquet-folder", "hub", lambda path: [("", caption) for caption in CAPTIONS]
)  # fmt: skip
def parquet_folder(path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    (path / "data").mkdir(parents=True)
    for split, row in zip(("test", "train"), image_rows(), strict=True):
        rows = pyarrow.Table.from_pylist([row])
        parquet.write_table(rows, path / "data" / f"{split}-00000-of-00001.parquet")


def tar_pairs(path: Path) -> Pairs:
    pairs = []
    for shard in sorted(path.glob("*.tar")):
        with tarfile.open(shard) as tar:
            for name in sorted(name for name in tar.getnames() if name.endswith(".txt")):
                member = tar.extractfile(name)
                assert member
                image = f"{shard}::{name.replace('.txt', '.jpg')}"
                pairs.append((image, member.read().decode()))
    return pairs


@example("webdataset", "shards", tar_pairs)
def img2dataset(path: Path) -> None:
    path.mkdir()
    (path / "00000.parquet").write_bytes(b"PAR1")
    (path / "00000_stats.json").write_text("{}")
    for shard in range(2):
        with tarfile.open(path / f"{shard:05d}.tar", "w") as tar:
            for n, caption in enumerate(CAPTIONS[:3]):
                key = f"{shard:05d}{n:04d}"
                for ending, data in (("jpg", b"x"), ("txt", caption.encode()), ("json", b"{}")):
                    member = tarfile.TarInfo(f"{key}.{ending}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))


@example(
    "folder", "photographs",
    lambda path: [
        (str(text.with_suffix(".jpg")), text.read_text()) for text in sorted(path.glob("*.txt"))
    ],
)  # fmt: skip
def texts_beside_images(path: Path) -> None:
    path.mkdir()
    for n, caption in enumerate(CAPTIONS):
        (path / f"{n}.jpg").touch()
        (path / f"{n}.txt").write_text(caption)


@example(
    "folder", "files",
    lambda path: [
        (str(text.with_suffix(".jpg")), text.read_text()) for text in sorted(path.glob("*/*.txt"))
    ],
)  # fmt: skip
def img2dataset_files(path: Path) -> None:
    for shard in ("00000", "00001"):
        (path / shard).mkdir(parents=True)
        (path / f"{shard}.parquet").write_bytes(b"PAR1")
        (path / f"{shard}_stats.json").write_text("{}")
        for n, caption in enumerate(CAPTIONS):
            for ending, content in (("jpg", ""), ("txt", caption), ("json", "{}")):
                (path / shard / f"{shard}{n:04d}.{ending}").write_text(content)


@example(
    "folder", "imagefolder",
    lambda path: [
        (str(path / one["file_name"]), one["text"])
        for one in map(json.loads, (path / "metadata.jsonl").read_text().splitlines())
    ],
)  # fmt: skip
def imagefolder(path: Path) -> None:
    path.mkdir()
    for n in range(len(CAPTIONS)):
        (path / f"{n}.png").touch()
    rows = [{"file_name": f"{n}.png", "text": caption} for n, caption in enumerate(CAPTIONS)]
    (path / "metadata.jsonl").write_text(lines_of(*rows))
