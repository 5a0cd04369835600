"""Scenes as pixels: shapes drawn four times as large and shrunk, on a light background."""

import functools
import math
import random

from PIL import Image, ImageDraw

from hnclip_cli.sources.scenes.layout import COLORS, Scene

OVERSAMPLING = 4

Point = tuple[float, float]


def background_of(rng: random.Random) -> tuple[int, int, int]:
    """A light tint, RGB."""
    red, green, blue = (232 + int(rng.random() * 24) for _ in range(3))
    return red, green, blue


def draw(scene: Scene, background: tuple[int, int, int], image_size: int) -> Image.Image:
    """A square RGB image of a scene, ``image_size`` pixels wide."""
    image = Image.new("RGB", (image_size, image_size), background)
    for thing in scene.things:
        width = round(thing.width * image_size)
        left = round(thing.x * image_size - width / 2)
        top = round(thing.y * image_size - width / 2)
        image.paste(COLORS[thing.color], (left, top), _mask(thing.shape, width))
    return image


@functools.cache
def _mask(shape: str, width: int) -> Image.Image:
    """How much of each pixel a shape covers, (width, width) of 0 to 255."""
    size = width * OVERSAMPLING
    mask = Image.new("L", (size, size))
    pen = ImageDraw.Draw(mask)
    if shape in _OUTLINES:
        points = [((x + 1) * size / 2, (y + 1) * size / 2) for x, y in _OUTLINES[shape]]
        pen.polygon(points, fill=255)
    else:
        _disk(pen, size, 0, 0, 1, 255)
    if shape == "ring":
        _disk(pen, size, 0, 0, 0.56, 0)
    elif shape == "crescent":
        _disk(pen, size, 0.5, 0, 0.84, 0)
    return mask.reduce(OVERSAMPLING)


def _disk(
    pen: ImageDraw.ImageDraw, size: int, x: float, y: float, radius: float, fill: int
) -> None:
    left, top, right, bottom = (
        (value + 1) * size / 2 for value in (x - radius, y - radius, x + radius, y + radius)
    )
    pen.ellipse((left, top, right - 1, bottom - 1), fill=fill)


def _star() -> list[Point]:
    points = []
    for corner in range(10):
        radius = 0.46 if corner % 2 else 1.05
        angle = math.pi * corner / 5
        points.append((radius * math.sin(angle), 0.08 - radius * math.cos(angle)))
    return points


def _heart() -> list[Point]:
    points = []
    for step in range(64):
        t = 2 * math.pi * step / 64
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        points.append((math.sin(t) ** 3, -0.12 - y / 17))
    return points


def _cross() -> list[Point]:
    arm, end = 0.33, 1.0
    quarter = [(-arm, -end), (arm, -end), (arm, -arm)]
    points = []
    for _ in range(4):
        points += quarter
        quarter = [(-y, x) for x, y in quarter]
    return points


# Corners in a square from (-1, -1) at the top left to (1, 1).
_OUTLINES: dict[str, list[Point]] = {
    "square": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
    "triangle": [(0, -0.92), (1, 0.84), (-1, 0.84)],
    "star": _star(),
    "cross": _cross(),
    "heart": _heart(),
}
