"""The blind reading: what is drawn and hidden, and the figures of hand-made labels."""

import json
import sys

import pytest

from tests.bench import judge
from tests.bench.judge_draw import Item, draw
from tests.conftest import to_lines

KEY = "number\tsource\tkind\trecord\tnegative\n" + "".join(
    f"{number}\t{source}\t{kind}\tr{number}\t0\n"
    for number, source, kind in (
        (1, "hnclip", "replace-noun"),
        (2, "hnclip", "replace-noun"),
        (3, "hnclip", "swap-noun"),
        (4, "sugarcrepe", "add_obj"),
    )
)
HEAD = "number\ttruth\tform\tsense\tnote\n"
ONE = (
    HEAD + "1\tfalse\tnatural\timage\t\n2\tfalse\todd\timage\tso so\n"
    "3\ttrue\tnatural\timage\t\n4\tfalse\tnatural\ttext\n"
)
OTHER = HEAD + "1\tfalse\tnatural\timage\n2\tfalse\tnatural\timage\n3\tunclear\tbroken\timage\n"


def items(source, kinds, count):
    return [
        Item(source, kind, f"{number}", f"{number % 20}.jpg", "a cat", f"a {kind} {number}")
        for kind in kinds
        for number in range(count)
    ]


@pytest.fixture
def run(capsys, monkeypatch):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["judge", *map(str, arguments)])
        judge.main()
        return capsys.readouterr().out

    return run


@pytest.fixture
def labels(tmp_path):
    for name, text in (("key", KEY), ("one", ONE), ("other", OTHER)):
        (tmp_path / f"{name}.tsv").write_text(text)
    return tmp_path


def test_a_draw_is_seeded_and_takes_an_image_twice_at_most():
    ours, control = items("hnclip", ["a", "b", "c"], 40), items("sugarcrepe", ["d"], 40)
    drawn = draw(ours, control, (20, 10), "real", seed=0)
    assert drawn == draw(ours[::-1], control, (20, 10), "real", seed=0)
    assert drawn != draw(ours, control, (20, 10), "real", seed=1)
    sources = [item.source for item in drawn]
    assert sources.count("hnclip") == 20 and sources.count("sugarcrepe") == 10
    assert sources not in (sorted(sources), sorted(sources, reverse=True))
    images = [item.image for item in drawn]
    assert max(map(images.count, images)) == 2


def test_kinds_are_drawn_equally_as_far_as_there_are_enough():
    ours = (
        items("hnclip", ["common"], 40) + items("hnclip", ["usual"], 20) + items("h", ["rare"], 3)
    )
    kinds = [item.kind for item in draw(ours, [], (20, 0), "kinds", seed=0)]
    assert {kind: kinds.count(kind) for kind in kinds} == {"common": 8, "usual": 9, "rare": 3}


def test_the_folder_of_readers_hides_whose_a_negative_is(run, tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("1.jpg", "2.jpg"):
        (tmp_path / "images" / name).write_bytes(b"a photograph")
    record = {
        "caption": "a cat  on\ta bed",
        "negatives": [{"caption": "a dog on a bed", "kind": "k"}],
    }
    (tmp_path / "ours.jsonl").write_bytes(
        to_lines(*({"id": name, "image": f"images/{name}.jpg"} | record for name in ("1", "gone")))
    )
    case = {"filename": "2.jpg", "caption": "a <b> ", "negative_caption": "A c."}
    (tmp_path / "add_obj.json").write_text(json.dumps({"7": case, "8": case | {"filename": "3"}}))
    reading = tmp_path / "reading"
    arguments = ["draw", tmp_path / "ours.jsonl", reading]
    arguments += ["--images", tmp_path / "images", "--control", tmp_path]
    result = json.loads(run(*arguments))
    assert result["hnclip"] == result["sugarcrepe"] == 1
    shown = [line.split("\t")[1:] for line in (reading / "items.tsv").read_text().splitlines()]
    assert sorted(shown[1:]) == [
        ["images/1.jpg", "A cat on a bed.", "A dog on a bed."],
        ["images/2.jpg", "A <b>.", "A c."],
    ]
    key = (reading / "key.tsv").read_text()
    assert "\tsugarcrepe\tadd_obj\tadd_obj/7\t" in key and "\thnclip\tk\t1\t" in key
    page = (reading / "page.html").read_text()
    assert "sugarcrepe" not in page and "add_obj" not in page and "A \\u003cb>." in page
    assert (reading / "images" / "2.jpg").read_bytes() == b"a photograph"
    with pytest.raises(SystemExit, match="there is one already"):
        run(*arguments)


def test_the_table_of_one_reader(run, labels):
    result = json.loads(run("table", labels / "key.tsv", labels / "one.tsv"))
    (sources,) = result["sources"].values()
    assert sources["hnclip"]["n"] == 3
    assert sources["hnclip"]["false"] == [66.7, 20.8, 93.9]
    assert sources["hnclip"]["useful"] == [33.3, 6.1, 79.2]
    assert sources["sugarcrepe"]["useful"] == [0.0, 0.0, 79.3]
    (kinds,) = result["kinds"].values()
    assert kinds["hnclip replace-noun"]["natural"][0] == 50.0
    assert kinds["hnclip swap-noun"]["true"][0] == 100.0
    assert result["agreement"] == {}


def test_the_table_of_two_readers(run, labels):
    one, other = labels / "one.tsv", labels / "other.tsv"
    result = json.loads(run("table", labels / "key.tsv", one, other))
    assert result["unlabeled"] == {str(one): [], str(other): [4]}
    pooled = result["sources"]["pooled"]["hnclip"]
    assert pooled["n"] == 3 and pooled["useful"] == [50.0, 12.5, 87.5]
    (found,) = result["agreement"].values()
    assert found["n"] == 3
    assert found["truth"] == {"kappa": 0.4, "equal": 66.7}
    assert found["form"] == {"kappa": -0.2, "equal": 33.3}
    assert found["sense"] == {"kappa": None, "equal": 100.0}
    assert found["useful"] == {"kappa": 0.4, "equal": 66.7}
    text = run("table", labels / "key.tsv", one, other, "--text")
    assert "truth: kappa 0.4, equal 66.7 %" in text
    assert f"unlabeled, {other}: 1 of 4 [4]" in text


def test_what_is_kept_is_key_and_labels(run, labels):
    kept = labels / "kept.tsv"
    kept.write_text(run("keep", labels / "key.tsv", labels / "other.tsv"))
    assert "1\thnclip\treplace-noun\tr1\t0\tfalse\tnatural\timage\t\n" in kept.read_text()
    again = json.loads(run("table", kept, kept, labels / "one.tsv"))
    plain = json.loads(run("table", labels / "key.tsv", labels / "other.tsv", labels / "one.tsv"))
    assert again["sources"]["pooled"] == plain["sources"]["pooled"]


@pytest.mark.parametrize(
    "lines, message",
    [
        ("1\tfalse\tnatural\timage\n2\tfalse\tgood\timage\n", "bad.tsv:3: unknown form: 'good'"),
        ("9\tfalse\tnatural\timage\n", "bad.tsv:2: the key has no number 9"),
        ("1\tfalse\tnatural\timage\n\n1\ttrue\tnatural\timage\n", "bad.tsv:4: no number, or one"),
    ],
)
def test_a_wrong_label_is_named_with_its_line(run, labels, lines, message):
    (labels / "bad.tsv").write_text(HEAD + lines)
    with pytest.raises(SystemExit, match=message):
        run("table", labels / "key.tsv", labels / "bad.tsv")
