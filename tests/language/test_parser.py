"""What is left out of spaCy, and what is done in another way, changes nothing."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnclip_cli.language.caption import TAGS
from hnclip_cli.language.distinct import embed_distinct_words
from hnclip_cli.language.parser import load_pipeline
from tests.conftest import environment


def test_only_captions_that_need_phrases_are_given_any(parser):
    texts = ["a cat on a bed", "a dog under a table", "", "a man behind a tree"]
    found = parser.parse(texts, lambda caption: caption.text.startswith("a dog"))
    assert [len(caption.phrases) for caption in found] == [0, 2, 0, 0]
    assert found[1].phrases == parser.parse(texts)[1].phrases


def test_spacy_is_loaded_without_torch_which_others_can_still_import(parser):
    code = (
        "import sys; from hnclip_cli.language.caption import PHRASES;"
        "from hnclip_cli.language.parser import Parser;"
        "print(len(Parser(PHRASES).parse(['a cat on a bed'])[0].phrases), 'torch' in sys.modules);"
        "import torch; print(torch.ones(1).sum().item())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment())
    assert done.stdout == b"2 False\n1.0\n", done.stderr


@pytest.fixture(scope="module")
def embedders(parser):
    """spaCy's own embedding of words, and that of distinct words."""
    plain, changed = load_pipeline(TAGS), load_pipeline(TAGS)
    assert embed_distinct_words(changed.get_pipe("tok2vec"))
    return plain, changed


WORDS = ["a", "A", "dog", "dogs", "DOG", "zyxgloop", "don't", ".", "  ", "\n", "3", "😀", "كلب"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), min_size=1))
def test_distinct_words_are_embedded_to_the_bit_like_all_words(embedders, texts):
    vectors = []
    for nlp in embedders:
        tok2vec = nlp.get_pipe("tok2vec")
        docs = list(tok2vec.pipe(map(nlp.make_doc, texts), batch_size=len(texts)))
        vectors.append([doc.tensor for doc in docs])
    for plain, changed in zip(*vectors, strict=True):
        assert np.array_equal(plain, changed)


def test_words_are_embedded_the_same_whatever_is_beside_them(embedders):
    plain, changed = embedders
    texts = [f"a {word} on a bed, near {number} dogs" for number in range(40) for word in WORDS]
    together = list(changed.pipe(texts, batch_size=len(texts)))
    for text, doc in zip(texts[::29], together[::29], strict=True):
        assert np.array_equal(plain(text).tensor, doc.tensor)


def test_a_model_of_another_kind_is_left_alone(embedders):
    _, changed = embedders
    before = changed.get_pipe("tok2vec").model.name
    assert not embed_distinct_words(changed.get_pipe("tok2vec"))
    assert not embed_distinct_words(changed.get_pipe("tagger"))
    assert changed.get_pipe("tok2vec").model.name == before


def test_a_changed_model_refuses_to_be_trained(embedders):
    plain, changed = embedders
    with pytest.raises(ValueError, match="only predicts"):
        changed.get_pipe("tok2vec").model([plain.make_doc("a dog")], is_train=True)
