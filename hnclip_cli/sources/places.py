"""Where the images of official files lie, and where those go that lie inside of files."""

import contextlib
import os
import re
from collections.abc import Iterable

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.files import inside, open_regular
from hnclip_cli.streams.outputs import atomic_output, in_the_way
from hnclip_cli.streams.records import Record

_COCO_2014 = re.compile(r"COCO_(train|val|test)2014_(\d{12}\.jpg)")
_COCO_FOLDERS = ("train2017", "val2017", "train2014", "val2014")

_ENDINGS = {
    b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"RIFF": "webp", b"GIF8": "gif", b"BM": "bmp",
    b"II*\0": "tif", b"MM\0*": "tif",
}  # fmt: skip


def find_image(record: Record, folder: str, names: Iterable[str]) -> str:
    """The path of an image: the folder as the user named it, joined with the name.

    Args:
        record: what names it.
        folder: where to look.
        names: where the image may lie in the folder; the first that is there is taken.

    Raises:
        InputError: no image is there, or a name leads out of the folder.
    """
    try:
        paths = [inside(folder, name, "image") for name in names]
    except HnclipError as error:
        raise record.error(str(error)) from None
    for path in paths:
        if os.path.isfile(path):
            return path
    folders = dict.fromkeys(os.path.dirname(path) for path in paths)
    raise record.error(
        "image not found", got=repr(paths[0]), hint="another --images folder",
        expected=f"it in one of {', '.join(folders)}" if len(folders) > 1 else "",
    )  # fmt: skip


def coco_places(name: str) -> list[str]:
    """Where an image may lie by its name in COCO.

    As published, without its folder, under its name of 2017, and in a folder of COCO's releases,
    for the splits of Karpathy cross them.
    """
    base = os.path.basename(name)
    renamed = _COCO_2014.fullmatch(base)
    names = [name, base, *([renamed[2]] if renamed else [])]
    return [*names, *(f"{folder}/{one}" for folder in _COCO_FOLDERS for one in names[1:])]


def visual_genome_places(number: int | str) -> list[str]:
    """Where an image of Visual Genome may lie, by its number: it is published in two folders."""
    return [f"{number}.jpg", f"VG_100K/{number}.jpg", f"VG_100K_2/{number}.jpg"]


def unpack_image(record: Record, name: str, folder: str, stem: str) -> str:
    """Write an image that lies inside of a file; gives the path, which may hold it already.

    Args:
        record: a row of the file.
        name: a field of it: the bytes, or an object with ``bytes``, as ``datasets`` has them.
        folder: where the image goes.
        stem: its name there, without an ending.

    Raises:
        InputError: it is no image of a known type.
        HnclipError: another file of this name is there.
    """
    value = record.field(name, object)
    data = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(data, bytes):
        raise record.error(f'field "{name}" holds no image')
    ending = next((end for magic, end in _ENDINGS.items() if data.startswith(magic)), None)
    if ending is None:
        expected = ", ".join(dict.fromkeys(_ENDINGS.values()))
        raise record.error(f'field "{name}" holds no image', got=repr(data[:4]), expected=expected)
    path = os.path.join(folder, f"{stem}.{ending}")
    if not os.path.lexists(path):
        with atomic_output(path, follow_links=False) as stream:
            stream.write(data)
    elif not _holds(path, data):
        raise in_the_way(path)
    return path


def _holds(path: str, data: bytes) -> bool:
    with contextlib.suppress(OSError, HnclipError), open_regular(path) as stream:
        return stream.read(len(data) + 1) == data
    return False
