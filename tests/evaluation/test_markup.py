"""HTML in which nothing is left unescaped."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.evaluation.html import edited
from hnclip_cli.evaluation.markup import Markup, el, joined


class Texts(HTMLParser):
    """What a reader of the page would see, and the elements there are."""

    def __init__(self, page):
        super().__init__()
        self.text, self.tags, self.attributes = "", [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def test_text_is_escaped_and_markup_is_not():
    assert el("p", "<b>", el("b", "&"), None, ["x", Markup("<i>")]) == (
        "<p>&lt;b&gt;<b>&amp;</b>x<i></p>"
    )
    assert el("img", src='a"b', alt="", hidden=True, title=None, lazy=False) == (
        '<img src="a&quot;b" alt="" hidden>'
    )
    assert el("th", "n", scope="col", aria_label="x", class_="c") == (
        '<th scope="col" aria-label="x" class="c">n</th>'
    )
    assert joined([1, "<", Markup("<b>")]) == "1&lt;<b>"


text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)


@given(text, text)
def test_whatever_a_text_holds_it_comes_out_as_text(inside, attribute):
    parsed = Texts(el("p", inside, title=attribute))
    assert parsed.tags == ["p"]
    assert parsed.text == inside
    assert parsed.attributes == [("title", attribute)]


@given(text, text)
def test_an_edited_negative_reads_as_the_negative_with_what_went_struck_through(caption, negative):
    page = edited(caption, negative)
    parsed = Texts(page)
    assert set(parsed.tags) <= {"ins", "del"}
    without = [word for tag, word in _runs(page) if tag != "del"]
    assert "".join("".join(without).split()) == "".join(negative.split())


def _runs(page):
    class Runs(HTMLParser):
        found, tag = [], ""

        def handle_starttag(self, tag, attrs):
            self.tag = tag

        def handle_endtag(self, tag):
            self.tag = ""

        def handle_data(self, data):
            self.found = [*self.found, (self.tag, data)]

    parser = Runs()
    parser.feed(page)
    parser.close()
    return parser.found


def test_the_words_that_changed_are_marked():
    assert edited("a cat on a mat", "a dog on a mat") == (
        "a <del>cat</del> <ins>dog</ins> on a mat"
    )
    assert edited("a light.", "a dim light") == "a <ins>dim</ins> light<del>.</del>"
    assert edited("same", "same") == "same"
    assert edited("a cat on a mat", "two dogs") == "two dogs"
