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
