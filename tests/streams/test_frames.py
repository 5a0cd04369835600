import numpy as np
import pytest

from hnclip_cli.errors import InputError
from hnclip_cli.streams.images import load_image
from hnclip_cli.streams.records import Record

FRAME = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


def load(folder, array=None, data=None):
    path = folder / "frame.npy"
    np.save(path, array, allow_pickle=True) if data is None else path.write_bytes(data)
    return load_image(Record({}, "x.jsonl", 4), "frame.npy", str(folder))


def test_a_frame_is_read_with_its_channels_turned(tmp_path):
    image = load(tmp_path, FRAME)
    assert (image.mode, image.size) == ("RGB", (3, 2))
    assert np.array_equal(np.asarray(image), FRAME[:, :, ::-1])


@pytest.mark.parametrize(
    "array",
    [
        FRAME.astype(np.float32),
        FRAME[0],
        FRAME[:, :, :2],
        np.asfortranarray(FRAME),
        FRAME[:0],
        np.array([{"any": "object"}], dtype=object),
    ],
)
def test_any_other_array_is_refused_and_nothing_is_unpickled(tmp_path, array):
    with pytest.raises(InputError, match=r"^x\.jsonl:4: image cannot be decoded"):
        load(tmp_path, array)


@pytest.mark.parametrize("damage", [lambda d: b"", lambda d: d[:-1], lambda d: b"no" * 99])
def test_a_damaged_frame_is_refused(tmp_path, damage):
    np.save(tmp_path / "whole.npy", FRAME)
    with pytest.raises(InputError, match="image cannot be decoded"):
        load(tmp_path, data=damage((tmp_path / "whole.npy").read_bytes()))


def test_a_header_that_promises_too_much_is_refused_before_reading(tmp_path):
    np.save(tmp_path / "whole.npy", np.zeros((1000, 1000, 3), np.uint8))
    data = (
        (tmp_path / "whole.npy")
        .read_bytes()[:128]
        .replace(b"(1000, 1000, 3), ", b"(99999,99999, 3),")
    )
    with pytest.raises(InputError, match="99999 x 99999 pixels"):
        load(tmp_path, data=data)


def test_a_narrow_frame_is_refused(tmp_path):
    with pytest.raises(InputError, match="too narrow: 1 x 3000 pixels, 1000 to 1 allowed"):
        load(tmp_path, np.zeros((3000, 1, 3), np.uint8))
