"""A crop is cut wherever the pixels are made: in line, or ahead by workers."""

import pytest
import torch
from PIL import Image

from hnclip_cli.models.load import load_clip
from hnclip_cli.models.pixels import iter_pixels
from hnclip_cli.streams.records import Record


@pytest.mark.parametrize("workers", [0, 2])
def test_pixels_are_those_of_the_crop(tmp_path, tiny_run, workers):
    clip = load_clip(tiny_run, device="cpu")
    image = Image.effect_noise((90, 70), 80).convert("RGB")
    image.save(tmp_path / "whole.png")
    image.crop((10, 20, 60, 50)).save(tmp_path / "part.png")
    records = [
        Record({"image": "whole.png", "crops": [[10, 20, 50, 30]]}),
        Record({"image": "part.png"}),
        Record({"images": ["part.png", "whole.png"], "captions": ["x"],
                "crops": [None, [10, 20, 50, 30]]}),
        Record({"image": "whole.png"}),
    ]  # fmt: skip
    loaded = [pixels for _, pixels in iter_pixels(records, clip, str(tmp_path), workers)]
    cropped, part, both, whole = loaded
    assert torch.equal(cropped, part)
    assert torch.equal(both, torch.cat([part, part]))
    assert not torch.equal(whole, part)
