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
