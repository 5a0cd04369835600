"""The pictures of a page: small, each once, within a budget, or linked to."""

import base64
import io

import pytest
from PIL import Image

from hnclip_cli.evaluation.pages.pictures import Pictures
from hnclip_cli.streams.records import Record


@pytest.fixture
def folder(tmp_path):
    noise = Image.effect_noise((900, 600), 80).convert("RGB")
    for number in range(4):
        noise.rotate(90 * number, expand=True).save(tmp_path / f"{number}.jpg")
    return tmp_path


def record(*names, **fields):
    return Record({"images": list(names), "captions": ["c"], "truth": [[0, 0]], **fields})


def sizes(addresses):
    found = []
    for address in addresses:
        head, _, data = address.partition(",")
        assert head == "data:image/jpeg;base64"
        found.append(Image.open(io.BytesIO(base64.b64decode(data))).size)
    return found


def test_pictures_are_small_and_each_is_there_once(folder):
    pictures = Pictures(str(folder), largest=300)
    assert pictures.numbers(record("0.jpg", "1.jpg")) == [0, 1]
    assert pictures.numbers(record("1.jpg")) == [1]
    assert sizes(pictures.addresses()) == [(300, 200), (200, 300)]


def test_a_crop_is_another_picture(folder):
    pictures = Pictures(str(folder))
    assert pictures.numbers(record("0.jpg")) == [0]
    assert pictures.numbers(record("0.jpg", crops=[[0, 0, 90, 60]])) == [1]
    assert sizes(pictures.addresses())[1] == (90, 60)


def test_the_more_there_are_the_smaller_and_beyond_the_budget_none(folder):
    numbers = record(*(f"{n}.jpg" for n in range(4)))
    roomy, tight = (Pictures(str(folder), budget=budget) for budget in (10_000_000, 9_000))
    roomy.numbers(numbers)
    tight.numbers(numbers)
    assert max(sizes(roomy.addresses())[0]) == 640
    small = list(tight.addresses())
    assert max(sizes(small[:1])[0]) == 160
    assert small[-1] is None and tight.num_beyond > 0
    notes = []
    tight.tell(notes.append)
    assert f"{tight.num_beyond} pictures left out: the page's budget of 0.009 MB" in notes[0]


def test_what_cannot_be_read_is_left_out_and_noted(folder):
    (folder / "bad").write_text("no picture")
    pictures = Pictures(str(folder))
    pictures.numbers(record("0.jpg", "bad", "gone"))
    assert pictures.numbers(Record({"group": "g"})) == [None]
    first, *others = pictures.addresses()
    assert first and others == [None, None]
    notes = []
    pictures.tell(notes.append)
    assert notes == [f"3 pictures left out: {pictures.errors[0]}"]


def test_links_are_relative_and_nothing_but_paths(folder):
    hostile = "javascript:alert(1).jpg"
    (folder / "0.jpg").rename(folder / hostile)
    (folder / "a b").mkdir()
    pictures = Pictures(str(folder), linked_from=str(folder / "a b"))
    pictures.numbers(record(hostile, "1.jpg"))
    assert list(pictures.addresses()) == ["./../javascript%3Aalert%281%29.jpg", "./../1.jpg"]


def test_what_is_no_whole_file_is_embedded_where_others_are_linked(folder):
    pictures = Pictures(str(folder), linked_from=str(folder))
    pictures.numbers(record("0.jpg", "1.jpg", crops=[None, [0, 0, 90, 60]]))
    linked, embedded = pictures.addresses()
    assert linked == "./0.jpg" and sizes([embedded]) == [(90, 60)]
