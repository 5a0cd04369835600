"""A crop is cut wherever the pixels are made: in line, or ahead by workers."""

import pytest
import torch
from PIL import Image

from hnclip_cli.errors import InputError
from hnclip_cli.models.load import load_clip
from hnclip_cli.models.pixels import PixelLoader
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
    with PixelLoader(clip, str(tmp_path), workers) as load:
        cropped, part, *both, whole = (
            load(record, name) for record in records for name in record.image_list
        )
    for pixels in (cropped, *both):
        assert torch.equal(pixels, part)
    assert not torch.equal(whole, part)


@pytest.mark.parametrize("workers", [0, 2])
def test_what_lies_outside_of_boxes_is_black(tmp_path, tiny_run, workers):
    clip = load_clip(tiny_run, device="cpu")
    image = Image.effect_noise((90, 70), 80).convert("RGB")
    image.save(tmp_path / "a.png")
    boxes = [(0, 0, 30, 30), (40, 20, 10, 10)]
    part = Image.new("RGB", (90, 70))
    for left, top, width, height in boxes:
        box = (left, top, left + width, top + height)
        part.paste(image.crop(box), (left, top))
    part.save(tmp_path / "part.png")
    with PixelLoader(clip, str(tmp_path), workers) as load:
        for _ in range(2):
            found = load(Record({"image": "a.png"}), "a.png", boxes)
            assert torch.equal(found, load(Record({"image": "part.png"}), "part.png"))
        with pytest.raises(InputError, match=r"x:3: a region lies outside of its image"):
            load(Record({"image": "a.png"}, "x", 3), "a.png", [(90, 0, 5, 5)])
