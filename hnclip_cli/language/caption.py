"""Captions as words: what the kinds see of them."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar, TypeVarTuple, cast

from hnclip_cli.lexicon import Lexicon, load_lexicon
from hnclip_cli.streams.edits import Edit

if TYPE_CHECKING:
    from hnclip_cli.language.gaps import Gaps

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# CLIP reads 77 tokens; what is longer than this is no caption, and would cost minutes.
MAX_CHARACTERS = 2000

_JOINERS = {"-", "–", "/", "_", "@", "#"}

_SENTENCE_ENDS = {".", "!", "?"}
_HASHTAG = re.compile(r"#(\w+)")

# HTML's tags and entities.
MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>|<!--.*?-->|&(?:#\d+|#[xX][\da-fA-F]+|[a-zA-Z]\w*);")

# What a kind needs to know of a caption: its characters alone, or its words and their tags too.
TEXT, TAGS = 0, 1


class Word(NamedTuple):
    """A token: characters [start, end) of the caption, also in lower case, and its Penn tag."""

    text: str
    lower: str
    start: int
    end: int
    tag: str = ""

    @property
    def is_noun(self) -> bool:
        return self.tag.startswith("NN")


# A `Word` of its five fields, in half the time.
as_word = partial(tuple.__new__, Word)


class Caption:
    """A caption as the kinds see it.

    Attributes:
        words: its tokens; none where it is not readable, or no kind reads more than the text.
        lowers: all words, lower case.
        lexicon: what is known about words.
        draw: what decides of random choices, of the record's own.
        gaps: what is usual in it, for kinds that propose no more; None: they propose all.
    """

    def __init__(self, text: str, words: list[Word], lexicon: Lexicon | None = None) -> None:
        self.text = text
        self.words = words
        self.lexicon = lexicon or load_lexicon()
        self.lowers = frozenset([word.lower for word in words])
        self.draw = b""
        self.gaps: Gaps | None = None

    def span(self, first: int, stop: int) -> str:
        """The original characters of words [first, stop)."""
        return self.text[self.words[first].start : self.words[stop - 1].end]

    def lower(self, index: int) -> str:
        """The lower-case word, empty beyond the ends."""
        return self.words[index].lower if 0 <= index < len(self.words) else ""

    def tag(self, index: int) -> str:
        return self.words[index].tag if 0 <= index < len(self.words) else ""

    def starts_sentence(self, index: int) -> bool:
        """Whether only quotes and spaces stand between this word and the start of a sentence."""
        while index and not self.words[index - 1].text.strip(" \t\r\n\"'“‘(`"):
            index -= 1
        return index == 0 or self.words[index - 1].text in {".", "!", "?", ":"}

    @cached_property
    def is_capitalized(self) -> bool:
        """Whether capitals say nothing about a word: ALL CAPS or Title Case."""
        if self.text.isupper() and len(self.words) > 1:
            return True
        long = [word.text for word in self.words if len(word.text) > 3 and word.text.isalpha()]
        return len(long) > 1 and sum(text[0].isupper() for text in long) > 0.6 * len(long)

    def has_plain_case(self, index: int) -> bool:
        """Whether this is a common word rather than a name, as far as its letters show."""
        text = self.words[index].text
        return text.islower() or self.is_capitalized or self.starts_sentence(index)

    @cached_property
    def resumed(self) -> frozenset[str]:
        """Nouns that "the", another sentence or a hashtag takes up again.

        "A red ring …, and a star left of the red ring": a change of one mention would leave the
        other without its thing.
        """
        found = set()
        places: dict[str, set[int]] = {}
        counts: Counter[str] = Counter()
        sentence = 0
        for index, word in enumerate(self.words):
            if word.is_noun and self.text[word.start - 1 : word.start] != "#":
                counts[word.lower] += 1
                noun = self.lexicon.nouns.forms.get(word.lower)
                places.setdefault(noun.key if noun else word.lower, set()).add(sentence)
            elif word.text in _SENTENCE_ENDS:
                sentence += 1
            elif word.lower == "the":
                index += 1
                while self.tag(index).startswith(("JJ", "NN")):
                    found.add(self.lower(index))
                    index += 1
        found &= {lower for lower, count in counts.items() if count > 1}
        if sentence:
            forms = self.lexicon.nouns.forms
            for lower in counts:
                noun = forms.get(lower)
                if len(places[noun.key if noun else lower]) > 1:
                    found.add(lower)
        for tag in _HASHTAG.findall(self.text) if "#" in self.text else ():
            found |= {lower for lower in counts if tag.lower().startswith(lower)}
        return frozenset(found)

    def touches_hyphen(self, first: int, stop: int) -> bool:
        """Whether the words are part of a longer one, as "red" in "red-haired"."""
        start, end = self.words[first].start, self.words[stop - 1].end
        return self.text[start - 1 : start] in _JOINERS or self.text[end : end + 1] in _JOINERS

    def is_plain(self, index: int) -> bool:
        """Whether this is a common word, and no part of a longer one."""
        return self.has_plain_case(index) and not self.touches_hyphen(index, index + 1)

    def run_start(self, index: int, tags: tuple[str, ...]) -> int:
        """Where the run of words with such tags begins that ends before ``index``."""
        while self.tag(index - 1).startswith(tags):
            index -= 1
        return index

    def run_stop(self, index: int, tags: tuple[str, ...]) -> int:
        """Where the run of words with such tags ends that begins at ``index``."""
        while self.tag(index).startswith(tags):
            index += 1
        return index

    @cached_property
    def protected(self) -> list[tuple[int, int]]:
        """The characters [start, end) of words and of markup that must not be changed."""
        pattern = self.lexicon.protected
        found = [match.span() for match in pattern.finditer(self.text)] if pattern else []
        if "<" in self.text or "&" in self.text:
            found += [match.span() for match in MARKUP.finditer(self.text)]
        return found

    def protects(self, edits: Iterable[Edit]) -> bool:
        """Whether some edit changes what is `protected`."""
        return bool(self.protected) and any(
            start < stop and first < end
            for start, end, _ in edits
            for first, stop in self.protected
        )


def once(function: Callable[[Caption, *Ts], T]) -> Callable[[Caption, *Ts], T]:
    """Remember what a function found of the last captions: several kinds ask for the same."""
    return cast("Callable[[Caption, *Ts], T]", lru_cache(maxsize=256)(function))


def is_readable(text: str) -> bool:
    """Whether this may be a caption: not too long, and no half of a surrogate pair."""
    if len(text) > MAX_CHARACTERS:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
