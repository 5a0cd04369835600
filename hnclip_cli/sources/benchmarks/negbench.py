"""NegBench (Alhamoud et al. 2025, arXiv:2501.09425): what is absent, in choices and retrieval.

- Multiple choice: an image or video and four captions, of which one is true.
- Retrieval: captions of COCO, MSR-VTT and made images, as they are and with something absent.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any

from hnclip_cli.benchmarks import IMAGE_TO_TEXT, Leaf, Metric, Place, retrieval
from hnclip_cli.sources.benchmarks.files import Files, benchmark, reader
from hnclip_cli.sources.benchmarks.items import Item
from hnclip_cli.sources.places import coco_places

# The official files, and how many rows each has.
CHOICES = {
    "images/COCO_val_mcq_llama3.1_rephrased.csv": 5914,
    "images/VOC2007_mcq_llama3.1_rephrased.csv": 5031,
    "images/VOC2007_mcq.csv": 5031,
    "images/synthetic_mcq_llama3.1_rephrased.csv": 9997,
    "videos/msr_vtt_mcq_rephrased_llama.csv": 1000,
    "videos/msr_vtt_mcq_templated.csv": 1000,
}
RETRIEVAL = {
    "images/COCO_val_retrieval.csv": 5000,
    "images/COCO_val_negated_retrieval_llama3.1_rephrased_affneg_true.csv": 5000,
    "images/synthetic_retrieval_v1.csv": 5000,
    "images/synthetic_retrieval_v2.csv": 10000,
    "videos/msr_vtt_retrieval.csv": 1000,
    "videos/msr_vtt_retrieval_rephrased_llama.csv": 1000,
}
CAPTIONS = tuple(f"caption_{number}" for number in range(4))
CHOICE_COLUMNS = ("image_path", "correct_answer", *CAPTIONS, "correct_answer_template")
RETRIEVAL_COLUMNS = ("filepath", "captions")
NUM_FRAMES = 4  # of a video
# In the folder of the images; the paths of the files start on the authors' machine.
FOLDERS = ("JPEGImages", "VOC2007/JPEGImages", "VOCdevkit/VOC2007/JPEGImages")


def _items(files: Files) -> Iterator[Item]:
    """A row of choices; of retrieval, one for each caption."""
    expected = {os.path.basename(name): rows for name, rows in (CHOICES | RETRIEVAL).items()}
    for path in files.paths(list(CHOICES | RETRIEVAL)):
        name = os.path.basename(path)
        if "retrieval" in name:
            rows = _counted(files, path, RETRIEVAL_COLUMNS, expected[name])
            for row in files.records(rows, _captions):
                for number, caption in enumerate(row["captions"]):
                    fields = {"caption": caption, "filepath": row["filepath"]}
                    yield Item(fields, files, path, f"{row['key']}/{number}")
        else:
            yield from _counted(files, path, CHOICE_COLUMNS, expected[name])


def _counted(files: Files, path: str, columns: Sequence[str], expected: int) -> Iterator[Item]:
    """The rows of a file; a note where they are fewer than the official ones."""
    count = 0
    for row in files.csv_items(path, columns):
        count += 1
        yield row
    if count < expected:
        files.note(f"{path}: {count:,} of {expected:,} rows")


def _captions(row: Item) -> dict[str, Any]:
    return {"filepath": row["filepath"], "captions": row.literal_texts("captions"), "key": row.key}


def _record(item: Item) -> dict[str, Any]:
    if item.subset.startswith("msr_vtt"):
        return _video(item)
    if "caption" in item:
        return item.record(image=_image(item, "filepath"), caption=item.caption)
    captions = [item.text(name) for name in CAPTIONS]
    caption = captions.pop(item.integer("correct_answer", len(CAPTIONS)))
    tags = {"template": item.text("correct_answer_template")}
    return item.short(_image(item, "image_path"), caption, captions, "negate", tags=tags)


def _image(item: Item, name: str) -> str:
    """By the last part of the path; of made images, of which two have one name, by the last two."""
    parts = item.text(name).split("/")
    if "synthetic" in item.subset:
        return item.image_path("/".join(parts[-2:]), "/".join(parts[-3:]))
    places = [*coco_places(parts[-1]), *(f"{folder}/{parts[-1]}" for folder in FOLDERS)]
    return item.image_path(*places)


def _video(item: Item) -> dict[str, Any]:
    """Frames stand for the video; the right one of several captions comes first."""
    if "caption" in item:
        captions, tags = [item.caption], {}
    else:
        captions = [item.text(name) for name in CAPTIONS]
        captions.insert(0, captions.pop(item.integer("correct_answer", len(CAPTIONS))))
        tags = {"template": item.text("correct_answer_template")}
    name = item.text("filepath" if "caption" in item else "image_path").rpartition("/")[2]
    frames = _frames(item, os.path.splitext(name)[0])
    return item.record(
        images=frames,
        captions=captions,
        truth=[[frame, 0] for frame in range(len(frames))],
        frames_per_video=len(frames),
        group=name,
        tags=tags,
    )


def _frames(item: Item, video: str) -> list[str]:
    """Of the frames in a video's folder, in the order of their names, four uniform ones."""
    folder = os.path.join(item.files.images, video)
    found = sorted(os.listdir(folder)) if video and os.path.isdir(folder) else []
    names = [name for name in found if not name.startswith(".")]
    if len(names) < NUM_FRAMES:
        raise item.error(
            "frames not found",
            got=f"{len(names)} files in {folder!r}",
            expected=f"{NUM_FRAMES} frames of the video or more",
            hint="ffmpeg",
        )
    last = len(names) - 1
    return [
        item.image_path(f"{video}/{names[last * frame // (NUM_FRAMES - 1)]}")
        for frame in range(NUM_FRAMES)
    ]


def of_choices(place: Place) -> Leaf | None:
    return None if "retrieval" in place.subset else (place.subset,)


def of_templates(place: Place) -> Leaf | None:
    template = place.named("template")
    return (f"{place.subset}, {template}",) if template else None


def of_retrieval(place: Place) -> Leaf | None:
    return (place.subset,) if "retrieval" in place.subset else None


NEGBENCH = benchmark(
    "negbench",
    reader(_items, _record),
    (
        Metric("accuracy, {}", (IMAGE_TO_TEXT,), of_choices, each=True),
        Metric("accuracy, {}", (IMAGE_TO_TEXT,), of_templates, each=True),
        *retrieval("R@1", "R@5", directions=["text_to_image"], leaf=of_retrieval, each=", {}"),
    ),
)
