"""Modes and containers against a reference in floating-point numbers."""

import struct

import numpy as np
import pytest
from PIL import Image

from hnclip_cli.errors import InputError
from hnclip_cli.streams.images import ImageRoot, load_image
from hnclip_cli.streams.records import Record

RECORD = Record({}, "x.jsonl", 4)
SIDE = 16
RAMP = np.linspace(0, 1, SIDE * SIDE).reshape(SIDE, SIDE)  # gray, 0 to 1
COLORS = np.stack([RAMP, RAMP.T, RAMP[::-1]], axis=2)
ALPHA = RAMP.T[..., None]


def integers(shares, dtype, white=None):
    white = np.iinfo(dtype).max if white is None else white
    return np.rint(shares * white).astype(dtype)


def save(path, array, mode=None, **options):
    (Image.fromarray(array) if mode is None else Image.fromarray(array).convert(mode)).save(
        path, **options
    )


def write_tiff(path, samples, order="<", photometric=1, bits=None):
    """Samples (height, width) or (height, width, bands) as one strip of an uncompressed TIFF.

    Of 12 ``bits`` two lie in three bytes.
    """
    height, width, bands = (*samples.shape, 1)[:3]
    samples = samples.astype(samples.dtype.newbyteorder(order))
    formats = {"u": 1, "i": 2, "f": 3}
    data = samples.tobytes()
    if bits == 12:
        first, second = samples.ravel()[::2], samples.ravel()[1::2]
        packed = [first >> 4, (first & 15) << 4 | second >> 8, second & 255]
        data = np.stack(packed, axis=1).astype("u1").tobytes()
    tags = [
        (256, width), (257, height), (258, [bits or 8 * samples.itemsize] * bands), (259, 1),
        (262, 2 if bands > 1 else photometric), (273, 8), (277, bands), (278, height),
        (279, len(data)), (339, [formats[samples.dtype.kind]] * bands),
    ]  # fmt: skip
    further, entries = b"", b""
    for tag, value in tags:
        values = value if isinstance(value, list) else [value]
        if len(values) == 1:
            entries += struct.pack(f"{order}HHII", tag, 4, 1, values[0])
            continue
        place = 8 + len(data) + 2 + 12 * len(tags) + 4 + len(further)
        entries += struct.pack(f"{order}HHII", tag, 3, len(values), place)
        further += struct.pack(f"{order}{len(values)}H", *values)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8 + len(data))
    directory = struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", 0)
    path.write_bytes(head + data + directory + further)


def write_netpbm(path, kind, samples, white):
    header = f"{kind} {SIDE} {SIDE} {white}\n".encode()
    path.write_bytes(header + samples.tobytes())


def palette(path):
    image = Image.fromarray(integers(RAMP, "u1"))
    image.putpalette([value for gray in range(256) for value in (gray, 255 - gray, 0)])
    image.save(path)


BYTES, WORDS = integers(RAMP, "u1"), integers(RAMP, "u2")
PALETTE = np.stack([RAMP, 1 - RAMP, 0 * RAMP], axis=2)
RGBA = np.concatenate([integers(COLORS, "u1"), integers(ALPHA, "u1")], axis=2)
CMYK = np.concatenate([integers(COLORS, "u1"), integers(ALPHA * 0.5, "u1")], axis=2)

# File, what writes it, and what it shows, from 0 to 1; None where it must be refused.
MATRIX = [
    ("1.png", lambda path: save(path, RAMP > 0.5), RAMP > 0.5),
    ("1.pbm", lambda path: save(path, RAMP > 0.5), RAMP > 0.5),
    ("l.png", lambda path: save(path, BYTES), RAMP),
    ("l.jp2", lambda path: save(path, BYTES), RAMP),
    ("p.png", palette, PALETTE),
    ("p.gif", palette, PALETTE),
    ("p.bmp", palette, PALETTE),
    ("rgb.png", lambda path: save(path, integers(COLORS, "u1")), COLORS),
    ("rgb.webp", lambda path: save(path, integers(COLORS, "u1"), lossless=True), COLORS),
    ("rgb.ppm", lambda path: write_netpbm(path, "P6", integers(COLORS, ">u2"), 65535), COLORS),
    ("rgb16.tiff", lambda path: write_tiff(path, integers(COLORS, "u2")), COLORS),
    ("rgb16b.tiff", lambda path: write_tiff(path, integers(COLORS, "u2"), ">"), COLORS),
    ("rgbf.tiff", lambda path: write_tiff(path, COLORS.astype("f4")), None),
    ("rgba.png", lambda path: save(path, RGBA), COLORS),
    ("cmyk.tiff", lambda path: Image.frombytes("CMYK", (SIDE, SIDE), CMYK.tobytes()).save(path),
     (1 - COLORS) * (1 - ALPHA * 0.5)),
    ("lab.tiff", lambda path: Image.new("LAB", (SIDE, SIDE)).save(path), None),
    ("16.png", lambda path: save(path, WORDS), RAMP),
    ("16.jp2", lambda path: save(path, WORDS), RAMP),
    ("16.pgm", lambda path: write_netpbm(path, "P5", integers(RAMP, ">u2"), 65535), RAMP),
    ("10.pgm", lambda path: write_netpbm(path, "P5", integers(RAMP, ">u2", 1023), 1023), RAMP),
    ("16.tiff", lambda path: write_tiff(path, WORDS), RAMP),
    ("16b.tiff", lambda path: write_tiff(path, WORDS, ">"), RAMP),
    ("12.tiff", lambda path: write_tiff(path, integers(RAMP, "u2", 4095), bits=12), RAMP),
    ("16lzw.tiff", lambda path: save(path, WORDS, compression="tiff_lzw"), RAMP),
    ("16inverted.tiff", lambda path: write_tiff(path, integers(1 - RAMP, "u2"), photometric=0),
     RAMP),
    ("16signed.tiff", lambda path: write_tiff(path, integers(RAMP, "i2")), RAMP),
    ("16negative.tiff", lambda path: write_tiff(path, integers(RAMP, "i2") - np.int16(9)), None),
    ("32.tiff", lambda path: write_tiff(path, integers(RAMP, "u4")), RAMP),
    ("32signed.tiff", lambda path: write_tiff(path, integers(RAMP, "i4")), RAMP),
    ("32signed-b.tiff", lambda path: write_tiff(path, integers(RAMP, "i4"), ">"), RAMP),
    ("32of16.tiff", lambda path: save(path, integers(RAMP, "i4", 65535)), RAMP),
    ("32of8.tiff", lambda path: save(path, integers(RAMP, "i4", 255)), RAMP),
    ("f.tiff", lambda path: save(path, RAMP.astype("f4")), RAMP),
    ("fb.tiff", lambda path: write_tiff(path, RAMP.astype("f4"), ">"), RAMP),
    ("f255.tiff", lambda path: save(path, 255 * RAMP.astype("f4")), RAMP),
    ("f999.tiff", lambda path: save(path, 999 * RAMP.astype("f4")), None),
    ("fminus.tiff", lambda path: save(path, RAMP.astype("f4") - 0.5), None),
    ("fnan.tiff", lambda path: save(path, np.where(RAMP > 0.5, np.nan, RAMP).astype("f4")), None),
    ("f64.tiff", lambda path: write_tiff(path, RAMP), None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "write", "shown"), MATRIX, ids=[row[0] for row in MATRIX])
def test_an_image_is_within_one_gray_level_or_refused(tmp_path, name, write, shown):
    write(tmp_path / name)
    if shown is None:
        with pytest.raises(InputError, match="image cannot be decoded"):
            load_image(RECORD, name, str(tmp_path))
        return
    image = load_image(RECORD, name, str(tmp_path))
    assert image.mode == "RGB"
    expected = 255 * (shown if shown.ndim == 3 else shown[..., None].repeat(3, axis=2))
    assert np.abs(np.array(image, float) - expected).max() <= 1


TRANSPARENT = {
    "rgba.png": lambda path: save(path, RGBA),
    "rgba.webp": lambda path: save(path, RGBA, lossless=True, exact=True),
    "rgba.tiff": lambda path: save(path, RGBA),
}


@pytest.mark.parametrize("name", TRANSPARENT)
def test_transparency_is_dropped_or_blended_with_a_background(tmp_path, name):
    TRANSPARENT[name](tmp_path / name)
    dropped = load_image(RECORD, name, str(tmp_path))
    assert np.abs(np.array(dropped, float) - 255 * COLORS).max() <= 1
    background = (10, 200, 30)
    blended = load_image(RECORD, name, ImageRoot(str(tmp_path), background=background))
    expected = 255 * COLORS * ALPHA + np.array(background) * (1 - ALPHA)
    assert np.abs(np.array(blended, float) - expected).max() <= 1


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "I;16"])
def test_a_transparent_color_is_blended_too(tmp_path, mode):
    image = Image.new(mode, (2, 1))
    transparency = (0, 0, 0) if mode == "RGB" else 0
    image.save(tmp_path / "a.png", transparency=transparency)
    root = ImageRoot(str(tmp_path), background=(1, 2, 3))
    assert load_image(RECORD, "a.png", root).getpixel((0, 0)) == (1, 2, 3)
    assert load_image(RECORD, "a.png", str(tmp_path)).getpixel((0, 0)) == (0, 0, 0)
