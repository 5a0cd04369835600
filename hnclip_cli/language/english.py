"""Whether a caption is English, by its words."""

import importlib.util
import re
import runpy
from collections.abc import Callable, Iterable
from functools import cache, cached_property
from itertools import chain
from pathlib import Path

from hnclip_cli.language.caption import MARKUP, Caption
from hnclip_cli.lexicon import Lexicon

_WORD = re.compile(r"[^\W\d_]+")
_FOREIGN_LETTER = re.compile(r"[^\W\d_a-z]")
# Languages whose frequent words spaCy lists.
_LANGUAGES = (
    *("de", "fr", "es", "it", "nl", "pt", "pl", "sv", "da", "nb", "fi", "cs", "ro", "tr", "id"),
    *("hu", "ca", "hr"),
)


class English:
    """Tells English captions from others.

    Args:
        lexicon: words of captions; those of the built-in captions are known too.
        strings: gives further words of English texts, when they are needed.
    """

    def __init__(self, lexicon: Lexicon, strings: Callable[[], Iterable[str]]) -> None:
        self._lexicon, self._strings = lexicon, strings

    def __call__(self, caption: Caption) -> bool:
        """Whether a caption of common words for the most part, or of names only, is English.

        Of others, words that are frequent in other languages, and letters that English lacks,
        speak against it, and unknown words half as much; a common word speaks for it, and one of
        English texts a fifth as much.
        """
        lowers = caption.lowers
        if 5 * len(self._common & lowers) >= 3 * len(lowers):
            return True
        common = foreign = 0
        others: list[str] = []
        for word in _WORD.findall(MARKUP.sub(" ", caption.text)):
            lower = word.lower()
            if lower in self._frequent_elsewhere:
                foreign += lower not in self._common
            elif lower in self._common:
                common += 1
            elif _FOREIGN_LETTER.search(lower):
                foreign += 1
            else:
                others.append(word)
        if foreign + len(others) / 2 <= common:  # even if none of the others is known
            return True
        known = sum(map(self._known.__contains__, others))
        # What has a capital may be a name.
        unknown = sum(word.islower() and word not in self._known for word in others)
        return foreign + unknown / 2 <= common + known / 5

    @cached_property
    def _frequent(self) -> frozenset[str]:
        return _stop_words("en")

    @cached_property
    def _frequent_elsewhere(self) -> frozenset[str]:
        return frozenset(chain.from_iterable(map(_stop_words, _LANGUAGES)))

    @cached_property
    def _common(self) -> frozenset[str]:
        """What English captions are made of."""
        lexicon = self._lexicon
        names = chain(lexicon.nouns.forms, lexicon.attributes.describing, lexicon.verbs.actions)
        words = chain.from_iterable(name.split() for name in names)
        return self._frequent | {*words, *_words_of_captions()}

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(string for string in self._strings() if string.islower())


@cache
def _words_of_captions() -> list[str]:
    """The words that `Usage.built_in` knows."""
    import orjson

    words: list[str] = orjson.loads(Path(__file__).with_name("coco.json").read_bytes())["words"]
    return words


@cache
def _stop_words(language: str) -> frozenset[str]:
    """The frequent words of a language, without the import of its package, which takes long."""
    package = Path(str(importlib.util.find_spec("spacy").origin)).parent  # type: ignore[union-attr]
    found = runpy.run_path(str(package / "lang" / language / "stop_words.py"))
    return frozenset(found["STOP_WORDS"])
