import os
import socket
import struct
import zlib

import pytest
from PIL import Image

from hnclip_cli.errors import InputError
from hnclip_cli.streams import images
from hnclip_cli.streams.images import (
    ImageRoot,
    check_image,
    default_image_root,
    image_root_of,
    load_image,
)
from hnclip_cli.streams.records import Record

RECORD = Record({}, "x.jsonl", 4)
LOADERS = pytest.mark.parametrize("load", [load_image, check_image], ids=["load", "check"])


def test_one_pixel_is_an_image(tmp_path):
    Image.new("RGB", (1, 1), "red").save(tmp_path / "a.png")
    assert load_image(RECORD, "a.png", str(tmp_path)).getpixel((0, 0)) == (255, 0, 0)


def test_cmyk_and_palette_keep_their_colors(tmp_path):
    Image.new("RGB", (16, 16), "red").convert("CMYK").save(tmp_path / "a.jpg")
    red, green, blue = load_image(RECORD, "a.jpg", str(tmp_path)).getpixel((8, 8))
    assert red > 240 and max(green, blue) < 15
    Image.new("RGB", (2, 2), "red").convert("P").save(tmp_path / "a.gif")
    assert load_image(RECORD, "a.gif", str(tmp_path)).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_exif_orientation_is_left_alone_as_in_open_clip_or_applied(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    image = Image.new("RGB", (32, 16))
    image.paste("red", (0, 0, 16, 16))
    image.save(tmp_path / f"a.{suffix}", exif=exif, quality=100)
    as_it_lies = load_image(RECORD, f"a.{suffix}", str(tmp_path))
    root = ImageRoot(str(tmp_path), exif_orientation=True)
    turned = load_image(RECORD, f"a.{suffix}", root)
    assert (as_it_lies.size, turned.size) == ((32, 16), (16, 32))
    assert turned.getpixel((8, 4))[0] > 200 > 50 > turned.getpixel((8, 28))[0]


def test_heic_is_read_where_its_plug_in_is(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif", reason="hnclip[heif] is not installed")
    pillow_heif.from_pillow(Image.new("RGB", (64, 64), "red")).save(tmp_path / "a.heic")
    red, green, blue = load_image(RECORD, "a.heic", str(tmp_path)).getpixel((9, 9))
    assert red > 240 and max(green, blue) < 15


def test_heic_without_its_plug_in_names_it(tmp_path, monkeypatch):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    monkeypatch.setattr(images, "reads_heif", lambda: False)
    with pytest.raises(InputError, match=r"a.heic'.*try pip install 'hnclip\[heif\]'$"):
        load_image(RECORD, "a.heic", str(tmp_path))


@pytest.mark.parametrize("suffix", ["gif", "png", "tiff", "webp"])
def test_of_several_frames_the_first_counts(tmp_path, suffix):
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    options = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], **options)
    assert load_image(RECORD, f"a.{suffix}", str(tmp_path)).getpixel((0, 0)) == (255, 0, 0)


@LOADERS
def test_a_missing_image_names_line_and_path(tmp_path, load):
    with pytest.raises(InputError, match=r"^x\.jsonl:4: image not found; got '.*none.png'"):
        load(RECORD, "none.png", str(tmp_path))


@LOADERS
def test_an_image_that_lies_in_the_working_folder_is_hinted_at(tmp_path, monkeypatch, load):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (1, 1)).save("a.png")
    with pytest.raises(InputError, match=r"try --image-root \.$"):
        load(RECORD, "a.png", "elsewhere")


def half(data):
    return data[: len(data) // 2]


@pytest.mark.parametrize("damage", [lambda d: b"", half, lambda d: b"no" * 9])
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "bmp", "tiff"])
def test_a_damaged_image_is_an_input_error(tmp_path, damage, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"^x\.jsonl:4: image cannot be decoded .*a\.\w+'"):
        load_image(RECORD, path.name, str(tmp_path))


def png_that_claims(width, height):
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore:Image size")  # of Pillow, below the limit where it refuses
@pytest.mark.parametrize("side", [10_000, 14_000, 2**31 - 1])
def test_a_decompression_bomb_is_refused(tmp_path, side):
    (tmp_path / "a.png").write_bytes(png_that_claims(side, side))
    with pytest.raises(InputError, match="decompression bomb"):
        load_image(RECORD, "a.png", str(tmp_path))


def test_postscript_is_not_run(tmp_path):
    (tmp_path / "a.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    with pytest.raises(InputError, match="cannot identify"):
        load_image(RECORD, "a.eps", str(tmp_path))


@LOADERS
def test_only_regular_files_are_opened_so_that_nothing_waits(tmp_path, load):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        folder = os.open(tmp_path, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{folder}/socket")  # the whole path may be too long
        os.close(folder)
    for name, kind in {
        "folder": "a folder",
        "pipe": "a named pipe",
        "socket": "a socket",
        "/dev/zero": "a device",
        "/dev/tty": "a device",
    }.items():
        with pytest.raises(InputError, match=rf"^x\.jsonl:4: .*{name}: not a file; got {kind}$"):
            load(RECORD, name, str(tmp_path))


@LOADERS
@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "a.png/b.png"])
def test_names_that_no_file_can_have_are_input_errors(tmp_path, load, name):
    Image.new("RGB", (1, 1)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"^x\.jsonl:4: .*cannot read it"):
        load(RECORD, name, str(tmp_path))


def test_links_are_followed(tmp_path):
    Image.new("RGB", (5, 1)).save(tmp_path / "a.png")
    (tmp_path / "b").symlink_to("a.png")
    assert load_image(RECORD, "b", str(tmp_path)).size == (5, 1)


@LOADERS
def test_nothing_is_fetched_unless_it_is_allowed(load):
    with pytest.raises(InputError, match=r"fetches nothing; got 'https://example.org/a.png'"):
        load(RECORD, "https://user:secret@example.org/a.png?token=secret", ".")
    with pytest.raises(InputError, match="fetches nothing"):
        load(RECORD, "file:///a.png", ImageRoot("."))


def test_paths_start_at_the_input_files_folder(tmp_path):
    assert default_image_root("-") == "."
    assert default_image_root("caps.jsonl") == "."
    assert default_image_root("data/caps.jsonl") == "data"
    assert image_root_of("data/caps.jsonl", None, remote=True) == ImageRoot("data", True)
    assert image_root_of("data/caps.jsonl", str(tmp_path)) == ImageRoot(str(tmp_path))
