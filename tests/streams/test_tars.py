import bz2
import gzip
import io
import lzma
import tarfile
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.streams.images import check_image, load_image
from hnclip_cli.streams.records import Record
from hnclip_cli.streams.tars import (
    MAX_HEADER_BYTES,
    Shards,
    iter_members,
    join_member,
    split_member,
)

RECORD = Record({}, "x.jsonl", 4)
LONG = "d" * 90 + "/" + "e" * 80 + "/ü.png"


def png(width):
    stream = io.BytesIO()
    Image.new("RGB", (width, 1)).save(stream, "png")
    return stream.getvalue()


def make_tar(path, files, format=tarfile.PAX_FORMAT):
    with tarfile.open(path, "w", format=format) as tar:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return str(path)


@pytest.fixture
def shard(tmp_path):
    return make_tar(tmp_path / "a.tar", [("x/1.png", png(3)), ("2.png", png(5)), ("e", b"")])


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a.tar::b.png", ("a.tar", "b.png")),
        ("x/a.tar::y/b.tar::c", ("x/a.tar", "y/b.tar::c")),
        ("a.tar.gz::b", ("a.tar.gz", "b")),
        ("a.tgz::b", ("a.tgz", "b")),
        ("a.tar::", ("a.tar", "")),
        ("a.tar/b.png", None),
        ("a::b.png", None),
        ("a.tar:b", None),
        ("a.tar", None),
    ],
)
def test_a_member_is_spelled_with_two_colons_behind_the_tar(name, parts):
    assert split_member(name) == parts


@given(st.text(), st.text())
def test_what_is_joined_is_split_again(shard, member):
    shard = shard.replace("::", "").replace(".t", "") + ".tar"
    assert split_member(join_member(shard, member)) == (shard, member)


def test_an_image_in_a_tar_is_loaded_by_name(tmp_path, shard):
    for name, width in (("2.png", 5), ("x/1.png", 3)):
        assert load_image(RECORD, f"a.tar::{name}", str(tmp_path)).size == (width, 1)
        check_image(RECORD, f"a.tar::{name}", str(tmp_path))


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_all_header_formats_and_long_names_are_read(tmp_path, format):
    shard = make_tar(tmp_path / "a.tar", [("1.png", png(1)), (LONG, png(7))], format)
    assert Shards().read(shard, LONG, 1 << 20) == png(7)
    assert Shards().read(shard, "1.png", 1 << 20) == png(1)


def test_every_member_is_found_where_tarfile_finds_it(tmp_path):
    files = [(f"{n}.bin", bytes([n % 251]) * n) for n in range(700)]
    shard = make_tar(tmp_path / "a.tar", files)
    shards = Shards()
    with tarfile.open(shard) as tar:
        for name, data in files:
            member = shards.find(shard, name)
            info = tar.getmember(name)
            assert (member.offset, member.size) == (info.offset_data, info.size)
            assert shards.read(shard, name, 1000) == data


def test_of_two_members_of_one_name_the_last_counts(tmp_path):
    shard = make_tar(tmp_path / "a.tar", [("a", b"1"), ("b", b"2"), ("a", b"3")])
    assert Shards().read(shard, "a", 10) == b"3"


def test_links_folders_and_devices_are_no_members(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, kind in (("s", tarfile.SYMTYPE), ("h", tarfile.LNKTYPE), ("d", tarfile.DIRTYPE),
                           ("c", tarfile.CHRTYPE), ("f", tarfile.FIFOTYPE)):  # fmt: skip
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/hostname"
            tar.addfile(info)
    for name in "shdcf":
        with pytest.raises(HnclipError, match="no such member"):
            Shards().read(str(tmp_path / "a.tar"), name, 1 << 20)


def test_what_is_not_there_is_named(tmp_path, shard):
    with pytest.raises(InputError, match=r"^x\.jsonl:4: .*a\.tar: no such member; got '3\.png'$"):
        load_image(RECORD, "a.tar::3.png", str(tmp_path))
    with pytest.raises(InputError, match=r"image not found; got '.*b\.tar::3\.png'"):
        load_image(RECORD, "b.tar::3.png", str(tmp_path))
    with pytest.raises(InputError, match=r"image cannot be decoded .* got '.*a\.tar::e'"):
        load_image(RECORD, "a.tar::e", str(tmp_path))


def test_nothing_outside_can_be_named(tmp_path, shard):
    (tmp_path / "secret.png").write_bytes(png(1))
    for member in ("../secret.png", "/etc/passwd", ""):
        with pytest.raises(InputError, match="no such member"):
            load_image(RECORD, f"a.tar::{member}", str(tmp_path))


def test_a_member_beyond_the_limit_is_not_read(shard):
    with pytest.raises(HnclipError, match=r"member '2\.png' is too large; got \d+ bytes"):
        Shards().read(shard, "2.png", 10)


@pytest.mark.parametrize(
    ("name", "pack", "method"),
    [
        ("a.tar.gz", gzip.compress, "gzip"), ("a.tgz", gzip.compress, "gzip"),
        ("a.tar", gzip.compress, "gzip"), ("a.tar.bz2", bz2.compress, "bzip2"),
        ("a.tar.xz", lzma.compress, "xz"), ("a.tar.zst", lambda d: b"\x28\xb5\x2f\xfd" + d, "zstd"),
    ],
)  # fmt: skip
def test_a_compressed_tar_is_refused(tmp_path, shard, name, pack, method):
    with open(shard, "rb") as stream:
        packed = pack(stream.read())
    (tmp_path / name).write_bytes(packed)
    with pytest.raises(InputError, match=rf"{name}: a tar file compressed by {method} cannot"):
        load_image(RECORD, f"{name}::2.png", str(tmp_path))


@pytest.mark.parametrize("keep", [0, 100, 512, 600, 1024, 1500, 2048, 2560])
def test_a_cut_tar_gives_what_is_before_the_cut_and_names_the_damage(tmp_path, shard, keep):
    with open(shard, "rb") as stream:
        data = stream.read(keep)
    path = tmp_path / "cut.tar"
    path.write_bytes(data)
    if keep >= 1024:
        assert load_image(RECORD, "cut.tar::x/1.png", str(tmp_path)).size == (3, 1)
    with pytest.raises(InputError, match=r"^x\.jsonl:4: .*cut\.tar: damaged tar file \(.+\)$"):
        load_image(RECORD, "cut.tar::none", str(tmp_path))


def test_a_broken_header_in_the_middle_is_a_damage_not_the_end(tmp_path, shard):
    with open(shard, "r+b") as stream:
        stream.seek(1024 + 20)
        stream.write(b"garbage")
    with pytest.raises(HnclipError, match="damaged tar file"):
        Shards().find(shard, "2.png")


@given(st.binary(max_size=3000), st.integers(0, 3000))
def test_no_bytes_lead_astray(tmp_path_factory, garbage, at):
    folder = tmp_path_factory.mktemp("t")
    path = make_tar(folder / "a.tar", [("1", b"x" * 600), ("2", b"y")])
    with open(path, "r+b") as stream:
        stream.seek(at)
        stream.write(garbage)
    with open(path, "rb") as stream:
        try:
            members = list(iter_members(stream, path))
        except HnclipError as error:
            assert str(error).startswith(path)
        else:
            assert all(member.size >= 0 for member in members)


def test_a_negative_size_does_not_lead_in_circles(tmp_path):
    info = tarfile.TarInfo("a")
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = (-512 & (1 << 96) - 1).to_bytes(12, "big")
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + sum(header[156:]) + 8 * 32)
    (tmp_path / "a.tar").write_bytes(bytes(header) * 3 + bytes(1024))
    with pytest.raises(HnclipError, match="damaged tar file"):
        Shards().find(str(tmp_path / "a.tar"), "b")


def test_a_tar_is_indexed_once_until_it_changes(tmp_path, shard, monkeypatch):
    from hnclip_cli.streams import tars

    scans = []
    monkeypatch.setattr(
        tars, "iter_members", lambda *args: scans.append(args[1]) or iter_members(*args)
    )
    shards = Shards()
    for name in ("2.png", "x/1.png", "2.png"):
        shards.find(shard, name)
    assert len(scans) == 1
    make_tar(shard, [("2.png", png(9)), ("more", b"")])
    assert shards.read(shard, "2.png", 1 << 20) == png(9)
    assert len(scans) == 2


def test_indexes_are_forgotten_beyond_the_limit_those_used_longest_ago_first(tmp_path, monkeypatch):
    from hnclip_cli.streams import tars

    scans = []
    monkeypatch.setattr(
        tars, "iter_members", lambda *args: scans.append(args[1][-5]) or iter_members(*args)
    )
    paths = {
        name: make_tar(tmp_path / f"{name}.tar", [(str(n), b"") for n in range(10)])
        for name in "abc"
    }
    shards = Shards(max_remembered=20)
    for name in "abacab":
        shards.find(paths[name], "3")
    assert "".join(scans) == "abcb"
    alone = Shards(max_remembered=5)  # less than one tar has
    assert alone.find(paths["a"], "9").size == 0


def test_threads_share_an_index(shard):
    shards = Shards()
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(shards.read(shard, "2.png", 1 << 20)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [png(5)] * 8


def test_a_large_header_is_not_read(tmp_path):
    path = make_tar(tmp_path / "b.tar", [("n" * (MAX_HEADER_BYTES + 1), b"")])
    with open(path, "rb") as stream, pytest.raises(HnclipError, match="a header of 262656 bytes"):
        list(iter_members(stream, path))


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, b"Z"])
@pytest.mark.parametrize("size", [2**60, 2**33])
def test_a_header_that_promises_too_much_is_a_damage(tmp_path, kind, size):
    info = tarfile.TarInfo("a")
    info.type, info.size = kind, size
    path = tmp_path / "c.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with open(path, "rb") as stream, pytest.raises(HnclipError, match="damaged tar file"):
        list(iter_members(stream, str(path)))
