"""CLIP's tokens without torch: the same as open_clip's, and where its context ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.language.window import are_read_alike, tokens

LONG = "A very long caption about one thing and another, said again. " * 6


@pytest.fixture(scope="module")
def open_clip_tokens():
    from open_clip.tokenizer import SimpleTokenizer

    tokenizer = SimpleTokenizer()
    return lambda text: [tokenizer.decoder[number] for number in tokenizer.encode(text)]


@pytest.mark.parametrize(
    "text",
    [
        "A dog's bed isn't 12 feet long; it'LL do!",
        "Café &amp; Ünïcode ½ ² bananabanana aaa aaaa",
        "😀😃 女の人がテーブル l’été  ﬁ",
        LONG,
    ],
)
def test_tokens_are_those_of_open_clip(open_clip_tokens, text):
    assert tokens(text) == open_clip_tokens(text)


@given(text=st.text(alphabet="abenrst '&;19.é", max_size=60))
def test_tokens_of_any_text_are_those_of_open_clip(open_clip_tokens, text):
    assert tokens(text) == open_clip_tokens(text)


def test_texts_are_alike_where_they_differ_behind_the_context():
    caption, negative = f"{LONG} a red car", f"{LONG} a blue car"
    start = len(LONG) + 3
    assert are_read_alike(caption, negative, [(start, start + 3, "blue")], 77)
    assert not are_read_alike(caption, negative, [(start, start + 3, "blue")], 248)
    assert not are_read_alike(f"A red car. {LONG}", f"A blue car. {LONG}", [(2, 5, "blue")], 77)


def test_the_last_token_that_is_read_counts():
    words = "dog " * 74
    caption, negative = f"{words}red car {LONG}", f"{words}blue car {LONG}"
    assert not are_read_alike(caption, negative, [(len(words), len(words) + 3, "blue")], 77)
    assert are_read_alike(caption, negative, [(len(words), len(words) + 3, "blue")], 76)
