"""Tokens by words are those of open_clip's tokenizer."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from open_clip.tokenizer import SimpleTokenizer

from hnclip_cli.models import tokens
from hnclip_cli.models.tokens import remembering

PARTS = [
    "a", "it'S", "3", "42nd", "caf\u00e9", "\u2019", "\u201cred\u201d", "&amp;", "&",
    "<b>", "_", "--", "\t", "\n", "\r\n", "\x0b", "\x1b[0m", "\x00", "\u00a0", "\u00c3\u00a9",
    "\U0001f600", "\ufb01", "<start_of_text>", "<END_OF_TEXT>", "<start_of_text", "...", "'s", "'",
    "\u0130", "\u6f22",
]  # fmt: skip


@pytest.fixture(scope="module", params=["lower", "canonicalize", "whitespace"])
def pair(request):
    theirs = SimpleTokenizer(clean=request.param)
    assert isinstance(remembering(theirs), tokens._Words)
    return theirs, remembering(theirs)


@given(st.lists(st.lists(st.sampled_from(PARTS) | st.text(max_size=3), max_size=8), max_size=4))
def test_any_texts_have_the_tokens_of_open_clip(pair, parts):
    theirs, ours = pair
    texts = ["".join(some) for some in parts] + [" ".join(some) for some in parts] + [""]
    for _ in range(2):  # words are new, then known
        assert torch.equal(ours(texts), theirs(texts))


def test_a_text_that_is_too_long_is_cut_before_its_end_token(pair):
    theirs, ours = pair
    texts = [" ".join(["word"] * count) for count in range(70, 80)]
    assert torch.equal(ours(texts), theirs(texts))


@pytest.mark.parametrize("name", ["coco", "flickr30k"])
def test_real_captions_have_the_tokens_of_open_clip(pair, real_data, name):
    theirs, ours = pair
    lines = (real_data / name / "captions.jsonl").read_bytes().splitlines()[::5]
    texts = [json.loads(line)["caption"] for line in lines]
    assert torch.equal(ours(texts), theirs(texts))


def test_no_more_words_are_kept_than_fit(pair, monkeypatch):
    monkeypatch.setattr(tokens, "MAX_REMEMBERED", 3)
    ours = remembering(pair[0])
    for text in ["a b c d", "e f", "a e"]:
        assert torch.equal(ours([text]), pair[0]([text]))
    assert set(ours._known) == {"e", "f", "a"}


def test_another_tokenizer_is_asked_for_each_text_once():
    asked = []

    def tokenizer(texts):
        asked.extend(texts)
        return torch.tensor([[len(text)] for text in texts])

    ours = remembering(tokenizer)
    assert ours(["one", "three", "one"]).tolist() == [[3], [5], [3]]
    assert ours(["three", "x"]).tolist() == [[5], [1]]
    assert asked == ["one", "three", "x"]
