"""Captions as words: what the kinds see of them."""

from collections.abc import Callable, Sequence
from functools import cached_property, partial, wraps
from typing import Any, NamedTuple, TypeVar

from hnclip_cli.lexicon.attributes import ATTRIBUTE_CLASSES, COLOR_LOOK, COLORS
from hnclip_cli.lexicon.nouns import Noun, nouns, nouns_by_first_word

T = TypeVar("T")

# CLIP reads 77 tokens; what is longer than this is no caption, and would cost minutes.
MAX_CHARACTERS = 2000

_JOINERS = {"-", "–", "/", "_", "@", "#"}

# "a heart shaped cake" names no heart.
_COMPOUNDING = {"shaped", "legged", "like", "sized", "style", "colored", "themed", "covered"}

# Tagged as nouns they still describe: "an orange cross", "a metal bench".
DESCRIBING_NOUNS = {
    *COLORS,
    "grey",
    *" ".join(ATTRIBUTE_CLASSES.values()).replace("|", " ").split(),
    *("toy", "city", "giant", "baby", "male", "female", "adult"),
}

# What a kind needs to know of a caption. Each level holds the ones before it.
TEXT, TAGS, PHRASES = 0, 1, 2
# The parts that a noun phrase plays in a sentence, as ClearNLP labels them.
_NOUN_PHRASE_DEPS = {
    *("nsubj", "nsubjpass", "dobj", "pobj", "dative", "attr", "appos", "oprd", "pcomp", "ROOT"),
}
_NOMINAL_TAGS = {"NN", "NNS", "NNP", "NNPS", "PRP", "PRP$", "WP", "EX"}


class Word(NamedTuple):
    """A token: characters [start, end) of the caption; a tuple, as captions hold so many.

    ``lower`` is the text in lower case, ``tag`` the Penn Treebank tag, empty where the kinds did
    not ask for it.
    """

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


class Phrase(NamedTuple):
    """A base noun phrase, words [first, stop), and its head noun."""

    first: int
    stop: int
    head: int


class Mention(NamedTuple):
    """A noun of the lexicon in a caption, words [first, stop).

    Attributes:
        modifies: another noun follows that this one only describes, as in "dog house".
        is_modified: an unknown noun stands before it in the same name, as in "key lime pie".
    """

    first: int
    stop: int
    noun: Noun
    is_plural: bool
    modifies: bool
    is_modified: bool

    @property
    def head(self) -> int:
        return self.stop - 1


class Caption:
    """A caption as the kinds see it.

    Attributes:
        words: its tokens; none where it is not readable, or no kind reads more than the text.
        lowers: all words, lower case.
        draw: what decides of random choices, of the record's own.
        dependencies: for each word its dependency label and the index of the word that it hangs
            on; None where nothing needs them, and then there are no `phrases`.
    """

    def __init__(self, text: str, words: list[Word]) -> None:
        self.text = text
        self.words = words
        self.lowers = frozenset([word.lower for word in words])
        self.draw = b""
        self.dependencies: list[tuple[str, int]] | None = None
        self.remembered: dict[Callable[[Caption], Any], Any] = {}  # by `once`

    def span(self, first: int, stop: int) -> str:
        """The original characters of words [first, stop)."""
        return self.text[self.words[first].start : self.words[stop - 1].end]

    def lower(self, index: int) -> str:
        """The lower-case word, empty beyond the ends."""
        return self.words[index].lower if 0 <= index < len(self.words) else ""

    def tag(self, index: int) -> str:
        return self.words[index].tag if 0 <= index < len(self.words) else ""

    @cached_property
    def phrases(self) -> list[Phrase]:
        """The base noun phrases, which do not overlap, in order; needs ``PHRASES``.

        They are what spaCy's ``noun_chunks`` finds.
        """
        found: list[Phrase] = []
        if self.dependencies is None:
            return found
        firsts: list[int] = []
        last = -1
        for index, word in enumerate(self.words):
            if not (_is_nominal(word, self.dependencies[index][0]) and self._heads_phrase(index)):
                continue
            firsts = firsts or self._leftmost()
            if firsts[index] > last:
                found.append(Phrase(firsts[index], index + 1, index))
                last = index
        return found

    def _heads_phrase(self, index: int) -> bool:
        """Whether a nominal plays a part of its own, or is joined by "and" to one that does."""
        assert self.dependencies is not None
        part, head = self.dependencies[index]
        if part == "conj":
            part, head, index = *self.dependencies[head], head
            while part == "conj" and head < index:
                part, head, index = *self.dependencies[head], head
        return part in _NOUN_PHRASE_DEPS

    def _leftmost(self) -> list[int]:
        """For each word, the first of the words that hang on it."""
        assert self.dependencies is not None
        firsts = list(range(len(self.words)))
        for index, (_, head) in enumerate(self.dependencies):
            while firsts[head] > index:  # those above a word that is marked are marked already
                firsts[head] = index
                head = self.dependencies[head][1]
        return firsts

    @cached_property
    def phrase_starts(self) -> dict[int, int]:
        """For each word of a noun phrase, the first word of that phrase."""
        return {
            i: phrase.first for phrase in self.phrases for i in range(phrase.first, phrase.stop)
        }

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
        """Nouns that "the" takes up again: "a red ring …, and a star left of the red ring".

        A change of one mention would leave the other without its thing.
        """
        nouns_seen = [word.lower for word in self.words if word.is_noun]
        repeated = {noun for noun in nouns_seen if nouns_seen.count(noun) > 1}
        found = set()
        for index, word in enumerate(self.words):
            if word.lower == "the":
                index += 1
                while self.tag(index).startswith(("JJ", "NN")):
                    found.add(self.lower(index))
                    index += 1
        return frozenset(found & repeated)

    def touches_hyphen(self, first: int, stop: int) -> bool:
        """Whether the words are part of a longer one, as "red" in "red-haired"."""
        start, end = self.words[first].start, self.words[stop - 1].end
        return self.text[start - 1 : start] in _JOINERS or self.text[end : end + 1] in _JOINERS

    @cached_property
    def mentions(self) -> list[Mention]:
        """The known nouns, longest match first, in order; needs tags."""
        names = nouns_by_first_word()
        found: list[Mention] = []
        stop = 0
        for index, word in enumerate(self.words):
            if index >= stop and word.lower in names:
                mention = self._mention_at(index)
                if mention:
                    found.append(mention)
                    stop = mention.stop
        return found

    def _mention_at(self, first: int) -> Mention | None:
        words = self.words
        for others, noun in nouns_by_first_word()[words[first].lower]:
            stop = first + 1 + len(others)
            # Taggers err about names of several words: "hydrant" as an adjective.
            if stop > len(words) or not (others or words[first].is_noun):
                continue
            if any(words[first + 1 + i].lower != other for i, other in enumerate(others)):
                continue
            if self.lower(stop) in _COMPOUNDING:
                return None
            if noun.singular in COLOR_LOOK and self.tag(stop).startswith(("JJ", "NN", "CC")):
                return None  # "an orange tabby cat" holds no fruit
            if self.touches_hyphen(first, stop) or not self.has_plain_case(stop - 1):
                return None
            return Mention(
                first,
                stop,
                noun,
                is_plural=_is_plural(noun, words[first:stop]),
                modifies=self.tag(stop).startswith("NN") or self.lower(stop) in nouns(),
                is_modified=self.tag(first - 1).startswith("NN")
                and self.lower(first - 1) not in DESCRIBING_NOUNS,
            )
        return None


def once(function: Callable[[Caption], T]) -> Callable[[Caption], T]:
    """Remember what a function found of a caption: several kinds ask for the same."""

    @wraps(function)
    def remembering(caption: Caption) -> T:
        known = caption.remembered
        if function not in known:
            known[function] = function(caption)
        found: T = known[function]
        return found

    return remembering


def _is_nominal(word: Word, part: str) -> bool:
    """Whether a word is a noun or a pronoun, "this" and "which" included when they stand alone."""
    if word.tag in _NOMINAL_TAGS:
        return True
    return word.tag in ("DT", "WDT") and (
        part not in ("det", "quantmod") or (word.lower == "that" and word.tag == "WDT")
    )


def _is_plural(noun: Noun, words: Sequence[Word]) -> bool:
    if noun.singular == noun.plural:
        return words[-1].tag in ("NNS", "NNPS")
    return " ".join(word.lower for word in words) == noun.plural


def is_readable(text: str) -> bool:
    """Whether this may be a caption: not too long, and no half of a surrogate pair."""
    if len(text) > MAX_CHARACTERS:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
