"""What is left out of spaCy, and what is done in another way, changes nothing."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnclip_cli.language.parser import load_pipeline
from hnclip_cli.language.tagger import embed_distinct_words, multiply_with_numpy
from tests.conftest import environment


def test_spacy_is_loaded_without_torch_which_others_can_still_import(parser):
    code = (
        "import sys; from hnclip_cli.language.caption import TAGS;"
        "from hnclip_cli.language.parser import Parser;"
        "print(len(Parser(TAGS).parse(['a cat on a bed'])[0].words), 'torch' in sys.modules);"
        "import torch; print(torch.ones(1).sum().item())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment())
    assert done.stdout == b"5 False\n1.0\n", done.stderr


@pytest.fixture(scope="module")
def embedders(parser):
    """spaCy's own embedding of words, and that of distinct words."""
    plain, changed = load_pipeline(), load_pipeline()
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


def test_numpy_multiplies_to_the_same_tags_whatever_is_beside_a_caption():
    plain, changed = load_pipeline(), load_pipeline()
    if not multiply_with_numpy(part for _, part in changed.pipeline):
        pytest.skip("numpy's BLAS rounds by the place of a row here")
    texts = [f"a {word} on a bed, near {number} dogs" for number in range(40) for word in WORDS]
    together = list(changed.pipe(texts, batch_size=len(texts)))
    for text, doc in zip(texts[::29], together[::29], strict=True):
        assert np.array_equal(changed(text).tensor, doc.tensor)
        assert np.allclose(plain(text).tensor, doc.tensor, atol=1e-4)
        assert [word.tag_ for word in plain(text)] == [word.tag_ for word in doc]


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
