import re

from hnclip_cli.language.caption import TEXT
from hnclip_cli.language.parser import Parser
from hnclip_cli.lexicon import load_lexicon
from hnclip_cli.negatives.kinds.registry import KINDS, Kind
from hnclip_cli.streams.edits import apply_edits


def test_no_kind_changes_a_protected_word(parser, tmp_path):
    text = "A red car near two dogs on a wooden bench"
    (tmp_path / "protect.tsv").write_text("word\nred car\nwooden\n")
    (plain,) = parser.parse([text])
    (caption,) = parser.parse([text])
    caption.lexicon = load_lexicon(tmp_path)
    for kind in KINDS.values():
        found = [apply_edits(text, edits) for edits in kind.edits(caption)]
        assert all("red car" in negative and "wooden" in negative for negative in found)
        if kind.change == "order":
            assert found
        else:
            texts = [apply_edits(text, edits) for edits in kind.edits(plain)]
            assert found == [one for one in texts if "red car" in one and "wooden" in one]


def test_a_kind_of_anybody_leaves_protected_words_alone(tmp_path):
    (tmp_path / "protect.tsv").write_text("word\nday\n")
    kind = Kind(lambda caption: iter([[(0, 3, "night")], [(4, 9, "trip")]]), TEXT)
    for lexicon, number in ((load_lexicon(), 2), (load_lexicon(tmp_path), 1)):
        (caption,) = Parser(TEXT, lexicon).parse(["day trips"])
        assert len(list(kind.edits(caption))) == number


def test_a_parser_hands_its_lexicon_on(tmp_path):
    (tmp_path / "words.tsv").write_text("class\tword\nsport\tcurling\n")
    lexicon = load_lexicon(tmp_path)
    assert Parser(TEXT, lexicon).parse(["a"])[0].lexicon is lexicon


def test_no_kind_breaks_markup(parser):
    text = 'a <b>red</b> car &amp; a blue bus on <a href="x y">the</a> street &#39;s <br/>'
    (caption,) = parser.parse([text])
    marks = ["<b>", "</b>", "&amp;", '<a href="x y">', "</a>", "&#39;", "<br/>"]
    for name, kind in KINDS.items():
        made = [apply_edits(text, edits) for edits in kind.edits(caption)]
        assert made or not name.startswith("shuffle")
        for negative in made:
            assert re.findall("<[^>]*>|&[^ ]*;", negative) == marks
