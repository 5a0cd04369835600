"""Scenes to disk and to records."""

import hashlib
import os
import random
from collections.abc import Iterator
from typing import Any

from hnclip_cli.sources.scenes.captions import caption_of, caption_of_alike
from hnclip_cli.sources.scenes.layout import compose, compose_alike
from hnclip_cli.streams.outputs import atomic_output, naming


def scene_records(
    folder: str,
    num_scenes: int,
    *,
    seed: int = 0,
    split: str = "train",
    image_size: int = 64,
    max_objects: int = 3,
    alike: bool = False,
) -> Iterator[dict[str, Any]]:
    """Draw scenes into a folder as PNG; yield each one's record once its image is there.

    Args:
        folder: made where it is not there; images of the same name are replaced, whole.
        num_scenes: scenes 0 to ``num_scenes`` - 1.
        seed: another seed gives other scenes under other names.
        split: ``train`` or ``test``.
        image_size: width and height in pixels.
        max_objects: a scene shows 1 to this many objects, at most 3.
        alike: a scene shows 2 to 4 objects of one kind instead, and captions say how many.

    Raises:
        HnclipError: the folder or an image cannot be written.
    """
    from hnclip_cli.sources.scenes.drawing import background_of, draw

    with naming(folder, "another DIR"):
        os.makedirs(folder, exist_ok=True)
    for index in range(num_scenes):
        rng = scene_rng(seed, split, index)
        if alike:
            scene = compose_alike(rng, split)
            caption = caption_of_alike(rng, scene)
        else:
            scene = compose(rng, split, max_objects)
            caption = caption_of(rng, scene)
        name = f"{'alike' if alike else 'scenes'}-{split}-{seed}-{index:06d}"
        path = os.path.join(folder, f"{name}.png")
        image = draw(scene, background_of(rng), image_size)
        # Whole images, but no wait for the disk at each.
        with atomic_output(path, follow_links=False, is_durable=False) as stream:
            image.save(stream, "PNG", compress_level=1)
        yield {
            "id": name,
            "image": path,
            "caption": caption,
            "objects": [
                {name: getattr(thing, name) for name in ("color", "shape", "size", "x", "y")}
                for thing in scene.things
            ],
            "split": split,
        }


def scene_rng(seed: int, split: str, index: int) -> random.Random:
    """The random numbers of one scene."""
    digest = hashlib.blake2b(f"{seed}/{split}/{index}".encode(), digest_size=16).digest()
    return random.Random(int.from_bytes(digest, "big"))
