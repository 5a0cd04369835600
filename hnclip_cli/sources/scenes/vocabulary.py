"""What scenes are made of, and which combinations of color and shape training never sees."""

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

SPLITS = ("train", "test")


def is_held_out(color: str, shape: str) -> bool:
    """Whether a combination belongs to the test split: a quarter of them do.

    The rule is a regular pattern of diagonals, so every color and every shape appears in both
    splits, equally often.
    """
    return (list(COLORS).index(color) + SHAPES.index(shape)) % 4 == 0


def _combinations(split: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (color, shape)
        for color in COLORS
        for shape in SHAPES
        if is_held_out(color, shape) == (split == "test")
    )


COMBINATIONS = {split: _combinations(split) for split in SPLITS}
