import pytest
from PIL import Image

from hnclip_cli.errors import InputError
from hnclip_cli.streams.images import default_image_root, load_image
from hnclip_cli.streams.records import Record

RECORD = Record({}, "x.jsonl", 4)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK", "1", "I;16"])
def test_any_mode_becomes_rgb(tmp_path, mode):
    suffix = "jpg" if mode == "CMYK" else "png"
    Image.new(mode, (3, 2)).save(tmp_path / f"a.{suffix}")
    image = load_image(RECORD, f"a.{suffix}", str(tmp_path))
    assert (image.mode, image.size) == ("RGB", (3, 2))


def test_a_missing_image_names_line_and_path(tmp_path):
    with pytest.raises(InputError, match=r"^x\.jsonl:4: image not found; got '.*none.png'"):
        load_image(RECORD, "none.png", str(tmp_path))


def test_an_image_that_lies_in_the_working_folder_is_hinted_at(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (1, 1)).save("a.png")
    with pytest.raises(InputError, match=r"try --image-root \.$"):
        load_image(RECORD, "a.png", "elsewhere")


@pytest.mark.parametrize("damage", [lambda d: b"", lambda d: d[: len(d) // 2], lambda d: b"no" * 9])
def test_a_damaged_image_is_an_input_error(tmp_path, damage):
    path = tmp_path / "a.png"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"^x\.jsonl:4: image cannot be decoded"):
        load_image(RECORD, "a.png", str(tmp_path))


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    Image.new("1", (200, 200)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(InputError, match="decompression bomb"):
        load_image(RECORD, "a.png", str(tmp_path))


def test_nothing_is_fetched():
    with pytest.raises(InputError, match="fetches nothing"):
        load_image(RECORD, "https://example.org/a.png", ".")


def test_paths_start_at_the_input_files_folder():
    assert default_image_root("-") == "."
    assert default_image_root("caps.jsonl") == "."
    assert default_image_root("data/caps.jsonl") == "data"
