from pathlib import Path

import numpy as np
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, Resize, ToTensor

from hnclip_cli.errors import InputError
from hnclip_cli.models import pixels
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.pixels import (
    PixelLoader,
    by_table,
    byte_table,
    is_flat,
    look_up_bytes,
    split_preprocess,
)
from hnclip_cli.streams.decoders import apply_steps
from hnclip_cli.streams.records import Record
from hnclip_cli.streams.threads import map_ahead

SIZES = [(64, 48), (48, 64), (50, 50), (31, 97), (200, 3), (1, 1), (32, 32), (33, 32), (90, 80)]


def clip_with(preprocess):
    return Clip(None, preprocess, None, {}, torch.device("cpu"))


def preprocess(**settings):
    return image_transform_v2(PreprocessCfg(**settings), is_train=False)


PREPROCESSES = {
    "shortest": (preprocess(size=32), 2),
    "bilinear": (preprocess(size=33, interpolation="bilinear"), 2),
    "squash": (preprocess(size=(32, 24), resize_mode="squash"), 1),
    "squash-square": (preprocess(size=32, resize_mode="squash"), 1),
    "longest": (preprocess(size=32, resize_mode="longest"), 0),
    "oblong": (preprocess(size=(32, 24)), 0),
    "resize-then-smaller-crop": (Compose([Resize(40), CenterCrop((30, 32)), ToTensor()]), 2),
    "crop-that-pads": (Compose([Resize(20), CenterCrop(32), ToTensor()]), 1),
    "bounded": (Compose([Resize(32, max_size=40), CenterCrop(8), ToTensor()]), 0),
    "not-composed": (lambda image: ToTensor()(image), 0),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for number, size in enumerate(SIZES):
        noise = [Image.effect_noise(size, 90 + shift) for shift in (0, 9, 18)]
        Image.merge("RGB", noise).save(folder / f"{number}.png")
    (folder / "bad.png").write_bytes(b"no image")
    return str(folder)


def make(*names):
    return [Record({"image": name}, "x.jsonl", at) for at, name in enumerate(names, 1)]


@pytest.mark.parametrize("name", PREPROCESSES)
def test_the_steps_and_the_rest_are_the_whole_bit_for_bit(folder, name):
    whole, num_steps = PREPROCESSES[name]
    steps, rest = split_preprocess(whole)
    finish = by_table(rest)
    unknown = {"longest", "oblong", "crop-that-pads", "bounded", "not-composed"}
    assert (finish is rest) == (name in unknown)
    assert len(steps) == num_steps
    for number in range(len(SIZES)):
        image = Image.open(f"{folder}/{number}.png").convert("RGB")
        try:
            expected = whole(image)
        except ValueError:  # of a strip, nothing is left
            assert name in ("longest", "bounded")
        else:
            assert torch.equal(rest(apply_steps(image, steps)), expected), SIZES[number]
            assert torch.equal(finish(apply_steps(image, steps)), expected), SIZES[number]


def load_all(records, clip, folder, workers):
    """The pixels of each record's image, or what is wrong with it."""
    with PixelLoader(clip, folder, workers) as load:

        def pixels_of(record):
            try:
                return load(record, record.image)
            except InputError as error:
                return error

        return list(map_ahead(pixels_of, records, load.num_threads))


def pixels_or_error(record, clip, folder):
    try:
        image = Image.open(f"{folder}/{record.image}").convert("RGB")
        return clip.preprocess(image)
    except ValueError as error:
        return f"{record.where}: image cannot be preprocessed ({error}); got {record.image!r}"


@pytest.mark.parametrize("name", ["shortest", "longest"])
def test_pixels_from_processes_are_those_of_the_plain_way(folder, name):
    clip = clip_with(PREPROCESSES[name][0])
    records = make(*(f"{n}.png" for n in range(len(SIZES)))) * 3
    plain = [pixels_or_error(record, clip, folder) for record in records]
    assert sum(isinstance(found, str) for found in plain) == (3 if name == "longest" else 0)
    for workers in (0, 1, 3):
        for found, expected in zip(load_all(records, clip, folder, workers), plain, strict=True):
            if isinstance(found, torch.Tensor):
                assert torch.equal(found, expected)
            else:
                assert str(found) == expected


@pytest.mark.parametrize("workers", [0, 1])
def test_images_that_the_cache_holds_are_decoded_once(folder, tmp_path, workers):
    clip = clip_with(preprocess(size=32))
    for number in (0, 1, 2):
        (tmp_path / f"{number}.png").write_bytes(Path(folder, f"{number}.png").read_bytes())
    records = make("0.png", "1.png", "2.png")
    wanted = [(record, record.image) for record in records]
    room = 2 * 32 * 32 * 3 * 4  # for two images
    with PixelLoader(clip, str(tmp_path), workers, cache_bytes=room) as load:
        before = [load(*one) for one in wanted]
        for path in tmp_path.iterdir():
            path.write_bytes(b"no image any more")
        assert torch.equal(load(*wanted[0]), before[0])
        assert torch.equal(load(*wanted[1]), before[1])
        with pytest.raises(InputError):
            load(*wanted[2])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bad_image_costs_its_own_record(folder, workers):
    clip = clip_with(PREPROCESSES["shortest"][0])
    records = make("0.png", "bad.png", "1.png", "none.png", "2.png")
    found = load_all(records, clip, folder, workers)
    assert [isinstance(pixels, torch.Tensor) for pixels in found] == [True, False] * 2 + [True]
    assert str(found[1]).startswith("x.jsonl:2: image cannot be decoded")
    assert str(found[3]).startswith("x.jsonl:4: image not found")


@pytest.mark.parametrize("name", PREPROCESSES)
def test_a_gpu_gets_bytes_and_makes_the_same_pixels_of_them(folder, name):
    plain = clip_with(PREPROCESSES[name][0])
    on_gpu = clip_on_gpu(plain.preprocess, resizes=False)
    table = byte_table(plain.preprocess)
    unknown = {"longest", "oblong", "crop-that-pads", "bounded", "not-composed"}
    assert (table is None) == (name in unknown)
    for number in (0, 1, 2, 7):
        (found,) = load_all(make(f"{number}.png"), on_gpu, folder, 1)
        expected = pixels_or_error(make(f"{number}.png")[0], plain, folder)
        if table is not None:
            assert found.dtype == torch.uint8 and found.shape[2] == 3
            found = look_up_bytes(found[None], table)[0]
        assert torch.equal(found, expected)


def clip_on_gpu(preprocess, *, resizes):
    clip = Clip(None, preprocess, None, {}, torch.device("cuda"))  # none is needed here
    vars(clip)["resizes"] = resizes
    return clip


def test_a_gpu_that_resizes_gets_images_as_they_are_but_large_and_tall_ones(folder, monkeypatch):
    whole = PREPROCESSES["shortest"][0]
    monkeypatch.setattr(pixels, "MAX_HELD_BYTES", 3 * 64 * 48)  # for the one image that is held
    found = load_all(
        make(*(f"{n}.png" for n in range(len(SIZES)))), clip_on_gpu(whole, resizes=True), folder, 2
    )
    raw = [
        tuple(image.shape) == (high, wide, 3)
        for image, (wide, high) in zip(found, SIZES, strict=True)
    ]
    assert raw == [(wide, high) not in [(31, 97), (90, 80)] for wide, high in SIZES]
    for number, image in enumerate(found):
        again = apply_steps(Image.fromarray(image.numpy()), split_preprocess(whole)[0])
        expected = whole(Image.open(f"{folder}/{number}.png").convert("RGB"))
        assert torch.equal(look_up_bytes(from_image(again), byte_table(whole))[0], expected)


def from_image(image):
    return torch.from_numpy(np.array(image))[None]


@pytest.mark.parametrize("shape", [(3, 8, 6), (8, 6, 3)])
def test_an_image_of_one_color_is_flat_in_both_layouts(shape):
    dtype = torch.float32 if shape[0] == 3 else torch.uint8
    channels = shape.index(3)
    color = torch.tensor([1, 2, 3], dtype=dtype)
    pixels = color.view([3 if axis == channels else 1 for axis in range(3)]).expand(shape).clone()
    assert is_flat(pixels)
    pixels[1, 5, 2] += 1
    assert not is_flat(pixels)
    assert not is_flat(torch.arange(144, dtype=dtype).view(shape))
