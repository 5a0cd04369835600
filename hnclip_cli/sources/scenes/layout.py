"""Composing a scene: which objects, how large, and where, so that every relation is clear."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
Combination = tuple[str, str]

# RGB values kept far apart from each other and from every background.
COLORS = {
    "red": (218, 28, 36),
    "orange": (255, 132, 0),
    "yellow": (246, 216, 0),
    "green": (22, 148, 58),
    "blue": (28, 84, 224),
    "purple": (142, 36, 168),
    "black": (16, 16, 16),
    "gray": (142, 142, 142),
}

SHAPES = ("circle", "square", "triangle", "star", "cross", "heart", "ring", "crescent")

# Widths as a share of the image's.
SIZES = {"small": 0.22, "large": 0.38}

# Where one object lies from another, as steps (right, down).
DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "above": (0, -1), "below": (0, 1)}
OPPOSITES = {"left": "right", "right": "left", "above": "below", "below": "above"}

# Training never sees these colors on these shapes: a quarter of all combinations. They form a
# block, so that exchanging the colors or shapes of two test objects gives combinations that
# training never saw either. Were the exchanged ones familiar, what a model remembers of its
# training captions would tell the true caption from the false one, without a look at the image.
HELD_OUT_COLORS = ("red", "yellow", "blue", "black")
HELD_OUT_SHAPES = ("circle", "triangle", "cross", "ring")


def is_held_out(color: str, shape: str) -> bool:
    """Whether a combination belongs to the test split."""
    return color in HELD_OUT_COLORS and shape in HELD_OUT_SHAPES


COMBINATIONS = {
    split: [
        (color, shape)
        for color in COLORS
        for shape in SHAPES
        if is_held_out(color, shape) == (split == "test")
    ]
    for split in ("train", "test")
}

# Shares in twentieths: how many objects a scene has, and what two objects have in common.
NUM_OBJECTS = {
    "train": (1,) * 5 + (2,) * 11 + (3,) * 4,
    "test": (1,) * 2 + (2,) * 10 + (3,) * 8,
}
PAIRS = ("nothing",) * 16 + ("color",) * 2 + ("shape",) * 2

# Shares of the image's width.
BORDER = 0.03
GAP = 0.06
SIZE_JITTER = 0.01

# Things that are alike lie in cells of a grid of so many by so many.
GRID = 3
MOST_ALIKE = 4

# Objects may stray from the axis of their relation by this share of their distance (9 degrees).
STRAY = 0.15


@dataclass(frozen=True, slots=True)
class Thing:
    """One object; x, y (its center, from the top left) and width are shares of the image's."""

    color: str
    shape: str
    size: str
    x: float
    y: float
    width: float


@dataclass(frozen=True, slots=True)
class Scene:
    """Objects around the first one, the hub: object k + 1 lies ``directions[k]`` of it.

    With three objects, one of them lies beside the hub and one above or below it, so that no
    relation of the scene still holds after two objects change places.
    """

    things: tuple[Thing, ...]
    directions: tuple[str, ...]


def pick(rng: random.Random, items: Sequence[T]) -> T:
    """One of the items; unlike `random.choice`, never different in another Python version."""
    return items[int(rng.random() * len(items))]


def compose(rng: random.Random, split: str, max_objects: int = 3) -> Scene:
    """Draw a scene of 1 to ``max_objects`` from a split's combinations of color and shape."""
    num_objects = pick(rng, [number for number in NUM_OBJECTS[split] if number <= max_objects])
    combinations = _pick_combinations(rng, split, num_objects)
    sizes = [pick(rng, tuple(SIZES)) for _ in combinations]
    widths = [SIZES[size] + rng.uniform(-SIZE_JITTER, SIZE_JITTER) for size in sizes]
    directions = _pick_directions(rng, num_objects)
    centers = _place(rng, _arrange(rng, directions, widths), widths)
    things = tuple(
        Thing(color, shape, size, x, y, width)
        for (color, shape), size, (x, y), width in zip(
            combinations, sizes, centers, widths, strict=True
        )
    )
    return Scene(things, directions)


def compose_alike(rng: random.Random, split: str) -> Scene:
    """Draw a scene of two to `MOST_ALIKE` things that differ in their places alone."""
    color, shape = pick(rng, COMBINATIONS[split])
    width = SIZES["small"] + rng.uniform(-SIZE_JITTER, SIZE_JITTER)
    cells = [(column, row) for row in range(GRID) for column in range(GRID)]
    stray = (1 / GRID - width - GAP) / 2
    things = []
    for _ in range(pick(rng, range(2, MOST_ALIKE + 1))):
        cell = cells.pop(int(rng.random() * len(cells)))
        x, y = (round((at + 0.5) / GRID + rng.uniform(-stray, stray), 4) for at in cell)
        things.append(Thing(color, shape, "small", x, y, width))
    return Scene(tuple(things), ())


def _pick_combinations(rng: random.Random, split: str, num_objects: int) -> list[Combination]:
    """Combinations without two alike; three of them differ in all colors and all shapes."""
    common = pick(rng, PAIRS) if num_objects == 2 else "nothing"
    chosen = [pick(rng, COMBINATIONS[split])]
    while len(chosen) < num_objects:
        color, shape = pick(rng, COMBINATIONS[split])
        if all(
            (color == other_color) == (common == "color")
            and (shape == other_shape) == (common == "shape")
            for other_color, other_shape in chosen
        ):
            chosen.append((color, shape))
    return chosen


def _pick_directions(rng: random.Random, num_objects: int) -> tuple[str, ...]:
    if num_objects == 1:
        return ()
    first = pick(rng, tuple(DIRECTIONS))
    across = ("above", "below") if first in ("left", "right") else ("left", "right")
    return (first,) if num_objects == 2 else (first, pick(rng, across))


def _arrange(
    rng: random.Random, directions: tuple[str, ...], widths: list[float]
) -> list[tuple[float, float]]:
    """Centers around a hub at (0, 0), free of overlap."""
    centers = [(0.0, 0.0)]
    for direction, width in zip(directions, widths[1:], strict=True):
        step_x, step_y = DIRECTIONS[direction]
        near = (widths[0] + width) / 2
        if len(centers) == 2:
            # The third object must also clear the second one, which may have strayed towards it.
            stray = centers[1][0] * step_x + centers[1][1] * step_y
            near = max(near, (widths[1] + width) / 2 + stray)
        distance = near + GAP + rng.uniform(0, 0.04 if len(directions) == 2 else 0.08)
        stray = rng.uniform(-STRAY, STRAY) * distance
        centers.append(
            (step_x * distance + abs(step_y) * stray, step_y * distance + abs(step_x) * stray)
        )
    return centers


def _place(
    rng: random.Random, centers: list[tuple[float, float]], widths: list[float]
) -> list[tuple[float, float]]:
    """Move the whole arrangement to a random place inside the borders."""
    shifts = []
    for axis in (0, 1):
        low = min(c[axis] - width / 2 for c, width in zip(centers, widths, strict=True))
        high = max(c[axis] + width / 2 for c, width in zip(centers, widths, strict=True))
        shifts.append(rng.uniform(BORDER - low, 1 - BORDER - high))
    return [(round(x + shifts[0], 4), round(y + shifts[1], 4)) for x, y in centers]
