import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.errors import InputError
from hnclip_cli.language.caption import Caption, Word
from hnclip_cli.sources.benchmarks import karpathy
from hnclip_cli.sources.benchmarks.karpathy import (
    PERTURBATIONS,
    _order,
    _trigrams,
    normalized,
)
from hnclip_cli.streams.jsonl import ErrorPolicy
from tests.sources.benchmarks.conftest import Folder

TAGS = {"dog": "NN", "cat": "NN", "mat": "NN", "black": "JJ", "white": "JJ"}
CAPTION = "A black dog chases the white cat over a mat."


class Tagger:
    """Words at spaces, the full stop apart, and the tags of a few words."""

    def __init__(self, level):
        pass

    def parse(self, texts):
        split = [text.replace(".", " .").split() for text in texts]
        words = [
            [Word(word, word, 0, 0, TAGS.get(word, "XX")) for word in words] for words in split
        ]
        return list(map(Caption, texts, words))


@pytest.fixture(autouse=True)
def tagger(monkeypatch):
    monkeypatch.setattr(karpathy, "Parser", Tagger)


def write(folder, captions, image="val2014/COCO_val2014_000000000001.jpg"):
    folder.image("000000000001.jpg")
    folder.write("coco_karpathy_test.json", [{"image": image, "caption": captions}])


def read(folder, **options):
    return folder.read("aro-coco-order", **options)


def test_a_caption_has_a_negative_of_each_perturbation_as_aro_shows_them(folder):
    write(folder, [CAPTION])
    (record,) = read(folder)
    assert record["caption"] == "a black dog chases the white cat over a mat"
    assert [negative["kind"] for negative in record["negatives"]] == list(PERTURBATIONS)
    for negative in record["negatives"]:
        assert sorted(negative["caption"].split()) == sorted(record["caption"].split())


def test_each_perturbation_moves_what_it_says(folder):
    write(folder, [CAPTION])
    words = normalized(CAPTION).split()
    described = [words.index(word) for word in TAGS]
    by_kind = {n["kind"]: n["caption"].split() for n in read(folder)[0]["negatives"]}

    nouns = by_kind["shuffle-nouns-and-adjectives"]
    assert {nouns[i] for i in (1, 5)} == {"black", "white"}
    assert {nouns[i] for i in (2, 6, 9)} == {"dog", "cat", "mat"}
    others = by_kind["shuffle-other-words"]
    assert [others[i] for i in described if others[i] in TAGS] != []
    assert [word for word in others if word in TAGS] == [w for w in words if w in TAGS]
    within = by_kind["shuffle-within-trigrams"]
    assert all(sorted(within[i : i + 3]) == sorted(words[i : i + 3]) for i in (0, 3, 6))
    blocks = {tuple(words[i : i + 3]) for i in (0, 3, 6)}
    moved = by_kind["shuffle-trigrams"]
    assert blocks <= {tuple(moved[i : i + 3]) for i in range(len(moved))}


def test_the_orders_depend_on_image_and_caption_alone(folder):
    write(folder, ["Another caption of a dog and a cat.", CAPTION])
    second = read(folder)[1]
    write(folder, [CAPTION])
    assert read(folder)[0]["negatives"] == second["negatives"]
    write(folder, [CAPTION], image="train2014/COCO_train2014_000000000001.jpg")
    assert read(folder)[0]["negatives"] != second["negatives"]


def test_a_perturbation_that_changes_nothing_is_no_negative(folder):
    write(folder, ["A dog."])
    (record,) = read(folder)
    kinds = {negative["kind"] for negative in record["negatives"]}
    assert "shuffle-nouns-and-adjectives" not in kinds and "shuffle-trigrams" not in kinds
    assert all(negative["caption"] != record["caption"] for negative in record["negatives"])


def test_a_perturbation_of_the_same_tokens_is_no_negative(folder, monkeypatch):
    perturbations = {
        "other-words": lambda text, tagged, order: ["a", "field", ",", "a", "dog"],
        "other-tokens": lambda text, tagged, order: ["a", "fie", "ld,", "a", "dog"],
    }
    monkeypatch.setattr(karpathy, "PERTURBATIONS", perturbations)
    write(folder, ["A field, a dog."])
    (record,) = read(folder)
    assert [negative["caption"] for negative in record["negatives"]] == ["a fie ld, a dog"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A dog.", "a dog"),
        ('  Two  "DOGS" (big) #1: no~pe! ', "two dogs big 1 no pe"),
        ("a, b; c", "a, b c"),
        (" ".join(map(str, range(40))), " ".join(map(str, range(30)))),
        ("...", ""),
    ],
)
def test_options_are_shown_as_aro_shows_them(text, shown):
    assert normalized(text) == shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a dog's red-haired owner isn't here.",
         ["a", "dog", "'s", "red-haired", "owner", "is", "n't", "here", "."]),
        ("A cat, 2 dogs", ["A", "cat", ",", "2", "dogs"]),
        ("", []),
    ],
)  # fmt: skip
def test_trigrams_are_made_of_treebank_words(text, words):
    assert [word for block in _trigrams(text) for word in block] == words


def test_an_order_is_a_permutation_that_its_seed_repeats():
    things = list(range(50))
    order = _order("seed")
    first, second = order(things), order(things)
    assert sorted(first) == sorted(second) == things
    assert first != second  # asked for twice, two orders
    assert _order("seed")(things) == first != _order("other")(things)


@given(st.lists(st.text(max_size=30), max_size=4))
def test_any_caption_is_perturbed_or_named(tmp_path_factory, captions):
    folder = Folder(tmp_path_factory.mktemp("order"))
    write(folder, captions)
    policy = ErrorPolicy("skip")
    records = read(folder, policy=policy)
    assert len(records) + policy.num_skipped == len(captions)


def test_a_caption_of_nothing_but_marks_is_named(folder):
    write(folder, ["fine dog", "..."])
    with pytest.raises(InputError, match=r"item '0/1': no word is left of the caption"):
        read(folder)


def test_flickr_is_read_the_same_way(folder):
    folder.image("flickr30k-images/1.jpg")
    folder.write("flickr30k_test.json", [{"image": "flickr30k-images/1.jpg", "caption": [CAPTION]}])
    (record,) = folder.read("aro-flickr-order")
    assert record["id"] == "aro-flickr-order/flickr30k_test/0/0"
    assert record["caption"] == normalized(CAPTION)
    assert {negative["kind"] for negative in record["negatives"]} <= set(PERTURBATIONS)
    assert len(record["negatives"]) >= 3
