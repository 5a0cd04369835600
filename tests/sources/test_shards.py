import io
import json
import shutil
import subprocess
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.sources.shards import expand_braces, shard_records
from hnclip_cli.streams.images import load_image
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record


def png():
    stream = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(stream, "png")
    return stream.getvalue()


def make_shard(name, *members):
    with tarfile.open(name, "w") as tar:
        for member, data in members:
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(*patterns, policy=None):
    return list(shard_records(patterns or ["a.tar"], policy or ErrorPolicy()))


def skipped(*patterns):
    errors = []
    policy = ErrorPolicy("skip", lambda error: errors.append(str(error)))
    return read(*patterns, policy=policy), errors


def test_samples_become_records_whose_images_load():
    make_shard(
        "a.tar", ("x/1.png", png()), ("x/1.txt", b"a cat\n"), ("2.TXT", b"b"), ("2.PNG", b"")
    )
    assert read() == [
        {"id": "x/1", "image": "a.tar::x/1.png", "caption": "a cat"},
        {"id": "2", "image": "a.tar::2.PNG", "caption": "b"},
    ]
    image = load_image(Record({}), read()[0]["image"], ".")
    assert image.size == (3, 2)


def test_captions_come_from_txt_then_caption_then_json():
    fields = json.dumps({"caption": "json", "width": 7, "id": "theirs", "image": "theirs"}).encode()
    make_shard(
        "a.tar",
        ("1.jpg", b""), ("1.json", fields), ("1.caption", b"caption"), ("1.txt", b"txt"),
        ("2.jpg", b""), ("2.json", fields), ("2.caption", b"caption"),
        ("3.jpg", b""), ("3.json", fields),
    )  # fmt: skip
    records = read()
    assert [record["caption"] for record in records] == ["txt", "caption", "json"]
    assert records[2] == {
        "id": "3", "image": "a.tar::3.jpg", "caption": "json", "width": 7,
        "metadata_id": "theirs", "metadata_image": "theirs",
    }  # fmt: skip
    assert records[0]["metadata_caption"] == ["json"]


@pytest.mark.parametrize("endings", [("", ""), (".jpg", ".txt")])
def test_tripletclip_members_become_negatives(endings):
    image, text = endings
    make_shard(
        "a.tar",
        (f"1.neg_image{image}", b""), (f"1.neg_caption{text}", b"a dog"),
        (f"1.image{image}", b""), ("1.caption", b"a cat"),
    )  # fmt: skip
    assert read() == [
        {
            "id": "1",
            "image": f"a.tar::1.image{image}",
            "caption": "a cat",
            "negatives": [{"caption": "a dog", "kind": "unspecified"}],
            "negative_images": [f"a.tar::1.neg_image{image}"],
        }
    ]


def test_the_plain_ending_is_the_image_and_what_is_no_sample_is_passed_over():
    make_shard(
        "a.tar",
        ("__meta__.json", b"{"), ("README", b""), (".hidden", b""), ("1.depth.png", b""),
        ("1.jpg", b""), ("1.txt", b"a"), ("1.cls", b"3"),
    )  # fmt: skip
    policy = ErrorPolicy()
    first = {"id": "1", "image": "a.tar::1.jpg", "caption": "a"}
    assert read(policy=policy) == [first]
    assert policy.num_odd == {
        ".png members that were not read": 1,
        ".json members that were not read": 1, "other members that were not read": 1,
        "hidden members that were not read": 1, ".cls members that were not read": 1,
    }  # fmt: skip


def test_a_shard_without_a_sample_is_counted():
    make_shard("a.tar", ("1.jpg", b""))
    make_shard("empty.tar")
    Path("zeros.tar").write_bytes(bytes(10240))
    policy = ErrorPolicy()
    assert len(read("a.tar", "empty.tar", "zeros.tar", policy=policy)) == 1
    assert policy.num_odd == {"shards without a sample": 2}


def test_every_image_of_a_sample_has_records_of_one_group():
    make_shard(
        "a.tar", ("1.1.jpg", b""), ("1.0.jpg", b""), ("1.txt", b"a\nb"), ("2.jpg", b"")
    )  # fmt: skip
    records = list(shard_records(["a.tar"], caption_lines=True, every_image=True))
    assert [(r["id"], r["image"], r.get("caption"), r.get("group")) for r in records] == [
        ("1", "a.tar::1.1.jpg", "a", "1"), ("1#2", "a.tar::1.1.jpg", "b", "1"),
        ("1.0.jpg", "a.tar::1.0.jpg", "a", "1"), ("1.0.jpg#2", "a.tar::1.0.jpg", "b", "1"),
        ("2", "a.tar::2.jpg", None, None),
    ]  # fmt: skip


def test_a_sample_without_a_caption_is_an_image():
    make_shard("a.tar", ("1.jpg", b""), ("2.jpg", b""), ("2.json", b'{"caption":null,"n":NaN}'))
    assert read() == [
        {"id": "1", "image": "a.tar::1.jpg"},
        {"id": "2", "image": "a.tar::2.jpg", "n": None},
    ]


def test_each_caption_of_a_sample_is_a_record():
    fields = json.dumps({"captions": ["a", "b"], "group": 3}).encode()
    make_shard("a.tar", ("1.jpg", b""), ("1.json", fields), ("2.jpg", b""), ("2.txt", b"c\nd\n"))
    assert [(r["id"], r["caption"]) for r in shard_records(["a.tar"], caption_lines=True)] == [
        ("1", "a"), ("1#2", "b"), ("2", "c"), ("2#2", "d"),
    ]  # fmt: skip
    assert [(r["id"], r["caption"]) for r in read()][2:] == [("2", "c\nd")]
    assert [r["metadata_group"] for r in read()[:2]] == [3, 3]


def test_shards_are_read_in_the_order_given_braces_expanded():
    for name in ("s-00", "s-01", "t"):
        make_shard(f"{name}.tar", (f"{name}.jpg", b""), (f"{name}.txt", b"x"))
    assert [record["id"] for record in read("t.tar", "s-{01..00}.tar")] == ["t", "s-01", "s-00"]


GOOD = (("9.jpg", b""), ("9.txt", b"fine"))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("1.txt", b"x")], "a.tar: sample '1': it has no image; got .txt"),
        ([("1.neg_image.jpg", b""), ("1.txt", b"x")], "a.tar: sample '1': it has no image"),
        ([("1.jpg", b""), ("1.json", b'{"caption":3}')], "1.json:1: field \"caption\" is no text"),
        ([("1.jpg", b""), ("1.json", b"{")], "a.tar: sample '1': 1.json:1: broken JSON"),
        ([("1.jpg", b""), ("1.json", b"[]")], "a.tar: sample '1': 1.json:1: not a record"),
        ([("1.jpg", b""), ("1.json", b" " * (1 << 21))], "sample '1': its JSON is too large"),
        ([("1.jpg", b""), ("1.txt", b"\xff")], "sample '1': 1.txt: the caption is invalid UTF-8"),
        ([("1.jpg", b""), ("1.txt", b" ")], "sample '1': 1.txt: the caption is empty"),
        ([("1.jpg", b""), ("1.JPG", b""), ("1.txt", b"x")], "sample '1': two members of one name"),
        ([*GOOD, ("1.jpg", b""), ("1.txt", b"x"), ("9.png", b"")], "sample '9': its members do"),
    ],
)  # fmt: skip
def test_a_bad_sample_is_named_with_shard_and_key(members, message):
    make_shard("a.tar", *members, *(() if GOOD[0] in members else GOOD))
    with pytest.raises(InputError) as found:
        read()
    assert message in str(found.value)
    records, errors = skipped()
    assert records[0 if members[0] in GOOD else -1]["caption"] == "fine"
    assert len(errors) == 1


def test_a_missing_or_strange_shard_ends_the_run(working_folder):
    with pytest.raises(HnclipError, match=r"^none\.tar: no such shard"):
        skipped("none.tar")
    (working_folder / "folder.tar").mkdir()
    with pytest.raises(HnclipError, match=r"^folder\.tar: not a file; got a folder"):
        skipped("folder.tar")


def test_a_cut_shard_gives_the_samples_before_the_cut(working_folder):
    many = [(f"{n}.{ending}", b"x" * 600) for n in range(4) for ending in ("jpg", "txt")]
    make_shard("a.tar", *many)
    data = (working_folder / "a.tar").read_bytes()
    (working_folder / "a.tar").write_bytes(data[: 5 * 1536 + 700])
    make_shard("b.tar", *GOOD)
    with pytest.raises(InputError, match=r"^a\.tar: damaged tar file \(cut off"):
        read()
    records, errors = skipped("a.tar", "b.tar")
    assert [record["id"] for record in records] == ["0", "1", "9"]
    assert len(errors) == 1 and errors[0].startswith("a.tar: damaged tar file (cut off")


def test_keys_and_captions_may_be_in_any_language():
    make_shard("ü.tar", ("日本.jpg", b""), ("日本.txt", "猫".encode()))
    assert read("ü.tar") == [{"id": "日本", "image": "ü.tar::日本.jpg", "caption": "猫"}]


def test_a_name_that_is_not_utf8_is_a_bad_sample():
    make_shard("a.tar", ("\udcff.jpg", b""), ("\udcff.txt", b"x"), *GOOD)
    records, errors = skipped()
    assert [record["id"] for record in records] == ["9"]
    assert "not UTF-8" in errors[0]


def test_memory_holds_the_keys_of_a_shard_and_no_headers():
    peaks = []
    for count in (100, 2000):
        members = [(f"{n:09d}.{ending}", b"x") for n in range(count) for ending in ("jpg", "txt")]
        make_shard("a.tar", *members)
        del members
        tracemalloc.start()
        assert sum(1 for _ in shard_records(["a.tar"], ErrorPolicy())) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (peaks[1] - peaks[0]) / 1900 < 300  # bytes a sample; two headers take over 1,000


PATTERNS = [
    "a.tar", "s-{000..003}.tar", "{8..11}", "{08..11}", "{3..1}", "{a,b}", "{a,b}-{0..1}",
    "x{a,{b,c}}y", "x{a,}", "{0..2}{3..4}/{p,q}.tar", "{5..5}", "x{}y", "x{a}y", "{a,b", "a}b",
    "{{a,b}}", "{a..c..d}", "}{", "{a,b}}", "{x{0..1}",
]  # fmt: skip


@pytest.mark.skipif(not shutil.which("bash"), reason="bash says what is right")
@pytest.mark.parametrize("pattern", PATTERNS)
def test_braces_are_expanded_as_by_bash(pattern):
    said = subprocess.check_output(["bash", "-c", f"printf '%s\\n' {pattern}"], text=True)
    assert list(expand_braces(pattern)) == said.splitlines()


@given(st.text("ab01{},.", max_size=14))
def test_nothing_is_lost_and_it_ends(pattern):
    names = list(expand_braces(pattern))
    assert names
    if "{" not in pattern:
        assert names == [pattern]


def test_names_come_one_by_one_however_many_there_are():
    names = expand_braces("{000000000..999999999}")
    assert [next(names) for _ in range(2)] == ["000000000", "000000001"]
