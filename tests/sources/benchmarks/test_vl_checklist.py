import pytest

from hnclip_cli.errors import HnclipError, InputError

ENTRY = ["VG_100K/1.jpg", {"POS": ["brown knob", "unused"], "NEG": ["teal knob", "unused"]}]


def write(folder, entries=(ENTRY,), corpus="Attribute/color/vg", annotation="data/color.json"):
    folder.write(
        f"corpus/v1/{corpus}.yaml",
        f'ANNO_PATH: "{annotation}"\nIMG_ROOT: "vg/"\nTYPE: "TUPLE_JSON"',
    )
    if not annotation.startswith(("/", "..")):
        folder.write(annotation, list(entries))


def test_the_first_texts_are_compared_and_the_tree_gives_subset_and_tags(folder):
    folder.image("vg/VG_100K/1.jpg")
    write(folder)
    (record,) = folder.read("vl-checklist")
    assert record["id"] == "vl-checklist/Attribute/color/vg/0"
    assert folder.names(record) == ["vg/VG_100K/1.jpg"]
    assert record["caption"] == "brown knob"
    (negative,) = record["negatives"]
    assert (negative["caption"], negative["kind"]) == ("teal knob", "attribute")
    assert record["subset"] == "Attribute/color"
    assert record["tags"] == {"family": "Attribute", "source": "vg"}


def test_families_come_in_the_order_of_their_names(folder):
    folder.image("VG_100K/1.jpg")
    for corpus in ("Relation/action/vg", "Object/Size/large/hake", "Object/Location/mid/hake"):
        write(folder, corpus=corpus)
    subsets = [record["subset"] for record in folder.read("vl-checklist")]
    assert subsets == ["Object/Location/mid", "Object/Size/large", "Relation/action"]


def test_annotations_that_are_not_there_are_noted_at_once(folder):
    folder.image("VG_100K/1.jpg")
    for source in ("a", "b", "c"):
        write(folder, corpus=f"Attribute/size/{source}", annotation=f"data/{source}.json")
    for source in ("a", "c"):
        (folder.path / "data" / f"{source}.json").unlink()
    assert len(folder.read("vl-checklist")) == 1
    assert folder.notes == [f"{folder.path}: 2 annotations are not there: data/a.json data/c.json"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (["a.jpg"], "item 'vg/0': not an item"),
        ([5, {"POS": ["x"], "NEG": ["y"]}], "item 'vg/0': field \"image\" has the wrong type"),
        (["a.jpg", {"POS": [], "NEG": ["y"]}], "item 'vg/0': field \"POS\" is empty"),
        (["a.jpg", {"POS": ["x"]}], "item 'vg/0': missing field \"NEG\""),
        (["../a.jpg", {"POS": ["x"], "NEG": ["y"]}], "item 'vg/0': image leaves its folder"),
    ],
)
def test_a_bad_entry_is_named(folder, entry, message):
    write(folder, [entry])
    with pytest.raises(InputError) as raised:
        folder.read("vl-checklist")
    assert str(raised.value).startswith(f"{folder.path}/data/color.json: {message}")


@pytest.mark.parametrize("annotation", ["../secret.json", "/etc/passwd"])
def test_an_annotation_cannot_leave_the_folder(folder, annotation):
    write(folder, annotation=annotation)
    with pytest.raises(HnclipError, match="annotation leaves its folder"):
        folder.read("vl-checklist")


@pytest.mark.parametrize(
    "content", ["", "- a", "ANNO_PATH: 5", "a: [", "!!python/object:os.system x"]
)
def test_a_damaged_corpus_is_named(folder, content):
    folder.write("corpus/v1/Attribute/color/vg.yaml", content)
    with pytest.raises(HnclipError) as raised:
        folder.read("vl-checklist")
    assert str(raised.value).startswith(f"{folder.path}/corpus/v1/Attribute/color/vg.yaml: ")


def test_a_folder_without_a_corpus_says_what_was_expected(folder):
    with pytest.raises(HnclipError, match=r"no official file in this folder; expected corpus/v1/"):
        folder.read("vl-checklist")
