"""Resizing by Triton, in its interpreter; test_resize.py runs this in a process of its own, because
the interpreter must be asked for before Triton is imported.
"""

import os

os.environ["TRITON_INTERPRET"] = "1"

import numpy as np
import pytest
import torch
from PIL import Image

from hnclip_cli.models import resize as module
from hnclip_cli.models.resize import is_exact, resize
from hnclip_cli.streams.decoders import apply_steps, is_raw

# (width, height): smaller and larger than the result, long, tall, of its very size
SIZES = [
    (64, 48), (48, 64), (50, 50), (97, 31), (200, 3), (1, 1), (32, 32), (33, 32), (33, 60),
    (90, 95), (640, 33), (35, 66),
]  # fmt: skip
CPU = torch.device("cpu")


def steps_of(size, crop, name):
    return [("resize", [size, name]), ("crop", list(crop))]


@pytest.mark.parametrize("name", ["BICUBIC", "BILINEAR"])
@pytest.mark.parametrize(("size", "crop"), [(32, (32, 32)), (40, (30, 32)), (33, (33, 33))])
def test_pixels_are_pillows_bit_for_bit(size, crop, name, monkeypatch):
    monkeypatch.setattr(module, "PART", 9)
    random = np.random.default_rng(size)
    images = [random.integers(0, 256, (high, wide, 3), dtype=np.uint8) for wide, high in SIZES]
    images += [np.full((50, 40, 3), value, np.uint8) for value in (0, 255)]
    steps = steps_of(size, crop, name)
    found = resize([torch.from_numpy(image) for image in images], steps, CPU)
    for image, pixels in zip(images, found, strict=True):
        assert is_raw(Image.fromarray(image), 1 << 20)
        expected = np.asarray(apply_steps(Image.fromarray(image), steps))
        np.testing.assert_array_equal(pixels.numpy(), expected, str(image.shape))


def test_an_image_that_is_resized_already_stays_as_it_is():
    image = torch.randint(0, 256, (30, 32, 3), dtype=torch.uint8)
    steps = steps_of(30, (30, 32), "BICUBIC")
    assert torch.equal(resize([image], steps, CPU)[0], image)


def test_the_check_of_a_device_finds_pixels_that_are_pillows_and_others(monkeypatch):
    steps = steps_of(24, (24, 24), "BICUBIC")
    assert is_exact(steps, CPU)
    monkeypatch.setitem(module.SUPPORTS, "BICUBIC", 1.9)
    module.coefficients.cache_clear()
    assert not is_exact(steps, CPU)
    module.coefficients.cache_clear()
