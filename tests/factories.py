"""Records, images and a model for tests, made on the spot."""

from pathlib import Path
from typing import Any

from PIL import Image

COLORS = ["red", "green", "blue", "yellow", "purple", "gray"]


def make_records(folder: Path, count: int = 6, **fields: Any) -> list[dict[str, Any]]:
    """Records of images of a square in a folder, each with two negatives of two kinds."""
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    for index in range(count):
        color = COLORS[index % len(COLORS)]
        other = COLORS[(index + 1) % len(COLORS)]
        name = f"{index}.png"
        image = Image.new("RGB", (70, 64), color)
        image.paste("white", (40, 40, 56, 56))
        image.save(folder / name)
        records.append(
            {
                "id": f"r{index}",
                "image": name,
                "caption": f"a {color} square number {index}",
                "negatives": [
                    {"caption": f"a {other} square number {index}", "kind": "replace-color"},
                    {"caption": f"a {color} circle number {index}", "kind": "replace-noun"},
                ],
            }
            | fields
        )
    return records


def with_further_texts(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records with what objectives read beyond captions and negatives; the last one has none."""
    further = [
        {
            "captions": [record["caption"], f"{record['caption']} on white", "a square"],
            "words": [[2, record["caption"].index(" square"), "adjective"]],
            "units": [
                {"text": caption, "kind": "entity", "foil": negative["caption"]}
                for negative in record["negatives"]
                for caption in (record["caption"],)
            ]
            + [{"text": "a white square", "kind": "entity", "foil": "a black square"}],
        }
        for record in records[:-1]
    ]
    return [record | texts for record, texts in zip(records, [*further, {}], strict=True)]
