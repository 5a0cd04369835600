"""What goes with what in captions: who does what, what is done to what, what is where and how.

Counts the `links` of captions, and which words occur in one caption; `ratios` says how usual a pair
of words is by these counts.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from pathlib import Path
from typing import IO, Any

import numpy as np
import orjson

from hnclip_cli.errors import HnclipError
from hnclip_cli.language.caption import Caption
from hnclip_cli.language.links import DETERMINER, lemmas, links, noun_lemma, verb_lemma
from hnclip_cli.language.ratios import PART_WEIGHT, Rows, Side
from hnclip_cli.lexicon import Lexicon, load_lexicon
from hnclip_cli.lexicon.nouns import Noun
from hnclip_cli.streams.files import read_rest
from hnclip_cli.streams.outputs import atomic_output

FORMAT, VERSION = "hnclip-usage", 1
# Made by hnclip fit from captions of COCO 2017; docs/negatives.md says from which.
BUILT_IN = Path(__file__).with_name("coco.json")

# A word that fewer captions hold says nothing.
MIN_COUNT = 2
MAX_WORDS = 8_000
# More distinct pairs than this, and those seen once are forgotten.
MAX_PAIRS = 2_000_000
# The weight of the prior of two words in one caption: that they have nothing to do with each other.
_SCENE = 0.5
# How much each evidence counts: by logistic regression, of which noun stands in a gap of captions
# of unseen images, and of which candidates a reader finds natural.
_LINK_WEIGHT, _DETERMINER_WEIGHT, _SCENE_WEIGHT = 0.47, 0.7, 0.9
# What it costs that no caption holds two words.
_UNSEEN_SCENE = 1.5
# Up to twice so many rows are remembered, of 4 bytes a word each.
_MAX_ROWS = 3_000

# Where a word stands in a link.
HEAD, DEPENDENT = 0, 1


class Usage:
    """How usual each word that may be put into a caption is in its place.

    These C words are the choices: all that the lexicon may put in. Those of the captions may stand
    around them.

    Args:
        words: lemmas of the captions.
        frequencies: (W,) how many captions hold each.
        relations: R names of relations.
        pairs: (P, 4) relation, head, dependent, count.
        scenes: (S, 3) two words, and how many captions hold both.
        num_captions: all captions.
        lexicon: knows the choices, and the families of nouns; by default the built-in one.

    Attributes:
        choices: the number of each choice.
        families: (C,) numbers of the families of choices.
        nouns: the number of each noun among the choices, by all its forms.
        people: the numbers of men, women and children of all sorts among the choices, by name.
        of_people: these numbers.
    """

    def __init__(
        self,
        words: Sequence[str],
        frequencies: np.ndarray,
        relations: Sequence[str],
        pairs: np.ndarray,
        scenes: np.ndarray,
        num_captions: int,
        lexicon: Lexicon | None = None,
    ) -> None:
        self.words, self.frequencies, self.relations = words, frequencies, relations
        self.pairs, self.scenes, self.num_captions = pairs, scenes, num_captions
        lexicon = lexicon or load_lexicon()
        choices = _choices(lexicon)
        self.choices = {word: number for number, word in enumerate(choices)}
        self._numbers = dict(self.choices)
        for word in words:
            self._numbers.setdefault(word, len(self._numbers))
        renumbered = np.array([self._numbers[word] for word in words], "i8")
        counts = np.zeros(len(self._numbers))
        counts[renumbered] = frequencies
        self._counts = counts
        self._shares = (counts + 0.5) / max(1, counts.sum())
        families = _families(self._numbers, lexicon)
        self.families = families[: len(choices)]
        forms = lexicon.nouns.forms
        self.nouns = {form: self.choices[noun_lemma(form, lexicon)] for form in forms}
        self.people = {
            noun.singular: self.choices[noun.singular]
            for noun in forms.values()
            if noun.family.name in ("adult", "youth") and noun.singular
        }
        self.of_people = np.array(sorted(self.people.values()), "i8")
        self._of_relation = {}
        for number, name in enumerate(relations):
            chosen = pairs[pairs[:, 0] == number]
            self._of_relation[name] = [
                Side(
                    renumbered[chosen[:, one]],
                    renumbered[chosen[:, other]],
                    chosen[:, 3],
                    self._shares,
                    families,
                    len(choices),
                )
                for one, other in ((1, 2), (2, 1))
            ]
        one, other = renumbered[scenes[:, 0]], renumbered[scenes[:, 1]]
        self._scenes = Rows(
            np.concatenate([one, other]),
            np.concatenate([other, one]),
            np.tile(scenes[:, 2], 2),
            len(choices),
        )
        # When the first are full, they become the older ones: what was not asked for goes.
        self._rows: dict[tuple[Any, ...], np.ndarray] = {}
        self._older_rows: dict[tuple[Any, ...], np.ndarray] = {}

    @classmethod
    def fit(cls, captions: Iterable[Caption], lexicon: Lexicon | None = None) -> "Usage":
        """Count the links of captions, which need tags; their order does not matter.

        Beyond `MAX_PAIRS` distinct pairs, those seen only once so far are forgotten.
        """
        counter = _Counter()
        for caption in captions:
            counter.add(caption)
        return cls(*counter.arrays(), lexicon)

    @classmethod
    def load(cls, stream: IO[bytes], source: str, lexicon: Lexicon | None = None) -> "Usage":
        """Read what `save` wrote.

        Raises:
            HnclipError: it is something else, or damaged.
        """
        try:
            data = orjson.loads(read_rest(stream, source))
            if data["format"] != FORMAT or data["version"] != VERSION:
                raise ValueError
            words, relations = map(_names, (data["words"], data["relations"]))
            limit = len(words)
            if len(data["frequencies"]) != limit:
                raise ValueError
            return cls(
                words,
                _table(data["frequencies"], 1, ())[:, 0],
                relations,
                _table(data["pairs"], 4, (len(relations), limit, limit)),
                _table(data["scenes"], 3, (limit, limit)),
                int(data["captions"]),
                lexicon,
            )
        except (ValueError, KeyError, TypeError, OverflowError):
            raise HnclipError(
                "not a fitted model, or one of another version",
                where=source,
                expected=f'a file with "format": "{FORMAT}", "version": {VERSION}',
                hint="writing it again with hnclip fit",
            ) from None

    @classmethod
    def built_in(cls, lexicon: Lexicon | None = None) -> "Usage":
        """The usage of COCO's captions (CC BY 4.0, cocodataset.org)."""
        with BUILT_IN.open("rb") as stream:
            return cls.load(stream, str(BUILT_IN), lexicon)

    def save(self, target: str | IO[bytes]) -> None:
        """Write the counts as one JSON object: the same bytes in whatever order captions came.

        Args:
            target: a file's name, or where the bytes go.
        """
        if isinstance(target, str):
            with atomic_output(target) as stream:
                return self.save(stream)
        data = {
            "format": FORMAT,
            "version": VERSION,
            "captions": self.num_captions,
            "words": self.words,
            "frequencies": self.frequencies.tolist(),
            "relations": self.relations,
            "pairs": self.pairs.ravel().tolist(),
            "scenes": self.scenes.ravel().tolist(),
        }
        target.write(orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE))

    def numbers(self, nouns: Sequence[Noun]) -> np.ndarray:
        """The numbers of nouns among the choices, (len(nouns),)."""
        return self._remembered(tuple(nouns), self._numbers_of)

    def _numbers_of(self, *nouns: Noun) -> np.ndarray:
        return np.array([self.nouns[noun.singular or noun.plural] for noun in nouns], "i8")

    def knows(self, lemma: str) -> bool:
        """Whether captions held this word."""
        number = self._numbers.get(lemma)
        return number is not None and bool(self._counts[number])

    def link_row(self, relation: str, side: int, other: str) -> np.ndarray | None:
        """How usual each choice is on one side of a link, in nats, chance being 0.

        Args:
            relation: of the link.
            side: ``HEAD`` or ``DEPENDENT``: where the choices are put.
            other: the word on the other side.

        Returns:
            (C,), or None for an unknown relation or word.
        """
        if relation not in self._of_relation or other not in self._numbers:
            return None
        return self._remembered((relation, side, other), self._link_row)

    def scene_row(self, other: str) -> np.ndarray | None:
        """How usual each choice is in a caption that holds another word, in nats; (C,)."""
        if other not in self._numbers:
            return None
        return self._remembered(("", 0, other), self._scene_row)

    def link(self, relation: str, head: str, dependent: str) -> float:
        """How usual a link is, in nats, chance being 0; 0 where nothing is known of its words."""
        for side, word, other in ((DEPENDENT, dependent, head), (HEAD, head, dependent)):
            if word in self.choices:
                row = self.link_row(relation, side, other)
                if row is not None:
                    sides = self._of_relation[relation]
                    known = sides[1 - side].log_part(self._numbers[other])
                    return float(row[self.choices[word]] + PART_WEIGHT * known)
        return 0.0

    def count_row(self, relation: str, side: int, other: str) -> np.ndarray:
        """How many captions have each choice on one side of a link, (C,)."""
        found = np.zeros(len(self.choices), "f4")
        if relation in self._of_relation and other in self._numbers:
            columns, counts = self._of_relation[relation][side].counts(self._numbers[other])
            found[columns] = counts
        return found

    def is_seen(self, relation: str, head: str, dependent: str) -> bool:
        """Whether some caption has a link."""
        sides = self._of_relation.get(relation)
        if sides is None or head not in self._numbers or dependent not in self._numbers:
            return False
        return sides[DEPENDENT].is_seen(self._numbers[dependent], self._numbers[head])

    def share(self, relation: str, head: str, dependent: str, among: Iterable[str]) -> float:
        """How often a word depends on a head where one of some choices does, from 0 to 1."""
        sides = self._of_relation.get(relation)
        number = self._numbers.get(head)
        if sides is None or number is None or dependent not in self.choices:
            return 0.0
        columns, counts = sides[DEPENDENT].counts(number)
        wanted = np.isin(columns, [self.choices[one] for one in among if one in self.choices])
        total = counts[wanted].sum()
        mine = counts[columns == self.choices[dependent]].sum()
        return float(mine / total) if total else 0.0

    def _remembered(self, key: tuple[Any, ...], make: Callable[..., np.ndarray]) -> np.ndarray:
        row = self._rows.get(key)
        if row is None:
            row = self._older_rows.get(key)
            if row is None:
                row = make(*key)
            if len(self._rows) >= _MAX_ROWS:
                self._older_rows, self._rows = self._rows, {}
            self._rows[key] = row
        return row

    def _scene_row(self, _: str, __: int, other: str) -> np.ndarray:
        number, size = self._numbers[other], len(self.choices)
        expected = self._counts[:size] * (self._counts[number] / max(1, self.num_captions))
        row = np.full(size, _SCENE)
        columns, values = self._scenes.of(number)
        row[columns] += values
        np.log(row / (expected + _SCENE), out=row)
        row *= _SCENE_WEIGHT
        row -= _UNSEEN_SCENE
        row[columns] += _UNSEEN_SCENE
        return row.astype("f4")

    def _link_row(self, relation: str, side: int, other: str) -> np.ndarray:
        number = self._numbers[other]
        known = self._of_relation[relation][side]
        weight = _DETERMINER_WEIGHT if relation == DETERMINER else _LINK_WEIGHT
        return known.row(number, weight)


class _Counter:
    """Counts what `Usage` keeps."""

    def __init__(self) -> None:
        self._num_captions = 0
        self._words: Counter[str] = Counter()
        self._pairs: Counter[tuple[str, str, str]] = Counter()
        self._scenes: Counter[tuple[str, str]] = Counter()

    def add(self, caption: Caption) -> None:
        found = links(caption)
        named = sorted(set(lemmas(found).values()))
        self._num_captions += 1
        self._pairs.update([link[:3] for link in found])
        self._words.update({word for link in found for word in link[1:3]})
        self._scenes.update(combinations(named, 2))
        for counts in (self._pairs, self._scenes):
            if len(counts) > MAX_PAIRS:
                for pair in [pair for pair, count in counts.items() if count == 1]:
                    del counts[pair]

    def arrays(self) -> tuple[list[str], np.ndarray, list[str], np.ndarray, np.ndarray, int]:
        """The arguments of `Usage`, but for the lexicon."""
        usual = sorted(self._words.items(), key=lambda item: (-item[1], item[0]))[:MAX_WORDS]
        usual = [item for item in usual if item[1] >= MIN_COUNT]
        words = [word for word, _ in usual]
        numbers = {word: number for number, word in enumerate(words)}
        relations = sorted({relation for relation, _, _ in self._pairs})
        kinds = {name: number for number, name in enumerate(relations)}
        pairs = [
            (kinds[relation], numbers[head], numbers[dependent], count)
            for (relation, head, dependent), count in self._pairs.items()
            if head in numbers and dependent in numbers
        ]
        scenes = [
            (numbers[one], numbers[other], count)
            for (one, other), count in self._scenes.items()
            if one in numbers and other in numbers
        ]
        return (
            words,
            np.array([count for _, count in usual], "i8"),
            relations,
            np.array(sorted(pairs), "i8").reshape(-1, 4),
            np.array(sorted(scenes), "i8").reshape(-1, 3),
            self._num_captions,
        )


def _names(values: Any) -> list[str]:
    if not all(isinstance(value, str) for value in values) or len(set(values)) < len(values):
        raise ValueError
    return list(values)


def _table(flat: Any, width: int, limits: Sequence[int]) -> np.ndarray:
    """Rows of numbers below the limits of their columns, and of a count of at least one."""
    table = np.array(flat)
    if table.ndim != 1 or (table.size and table.dtype.kind != "i"):
        raise ValueError
    table = table.astype("i8").reshape(-1, width)
    if table.size and (table.min() < 0 or table[:, -1].min() < 1):
        raise ValueError
    if any(table[:, column].max(initial=-1) >= limit for column, limit in enumerate(limits)):
        raise ValueError
    return table


def _choices(lexicon: Lexicon) -> list[str]:
    """The lemmas of all words that the lexicon may put into a caption."""
    nouns = {noun_lemma(form, lexicon) for form in lexicon.nouns.forms}
    verbs = {
        verb_lemma(text.split(" ")[0])
        for rules in lexicon.verbs.rules.values()
        for rule in rules
        for text in rule.instead
    }
    verbs |= {verb_lemma(form) for form in lexicon.verbs.rule_forms}
    attributes = lexicon.attributes
    described = {*attributes.looks, *attributes.sizes, *attributes.opposites, *attributes.known}
    described |= {word for materials in attributes.made_of.values() for word in materials}
    described |= {
        word for states in attributes.states.values() for state in states for word in state.instead
    }
    placed = {*lexicon.relations.names, *(flip.instead for flip in lexicon.relations.flips)}
    return sorted(nouns | verbs | described | placed)


def _families(words: Iterable[str], lexicon: Lexicon) -> np.ndarray:
    """The number of each word's family; nouns of no family share one, as do all other words."""
    numbers = {name: number for number, name in enumerate(lexicon.nouns.families, 2)}
    found = []
    for word in words:
        noun = lexicon.nouns.forms.get(word)
        found.append(numbers[noun.family.name] if noun else int(word.startswith("to ")))
    return np.array(found, "i8")
