"""What the project knows about words: tables of them (``*.tsv``), and what reads these.

`load_lexicon` gives it all, with a user's own tables laid over the built-in ones.
"""

import os
import re
from collections.abc import Callable, Iterable
from functools import cache, cached_property

from hnclip_cli.lexicon.attributes import Attributes, Numbers
from hnclip_cli.lexicon.nouns import Nouns
from hnclip_cli.lexicon.relations import Relations
from hnclip_cli.lexicon.tables import Tables
from hnclip_cli.lexicon.verbs import Verbs


class Lexicon(Tables):
    """All that is known about words; each part is read when it is first asked for.

    A pickled one is read again from its folder.
    """

    def __init__(self, folder: str | None = None, protect: tuple[str, ...] = ()) -> None:
        super().__init__(folder)
        self.protect = protect

    def __reduce__(self) -> tuple[Callable[..., "Lexicon"], tuple[str | None, tuple[str, ...]]]:
        return load_lexicon, (self.folder, self.protect)

    @cached_property
    def nouns(self) -> Nouns:
        return Nouns(self)

    @cached_property
    def verbs(self) -> Verbs:
        return Verbs(self, self.nouns)

    @cached_property
    def attributes(self) -> Attributes:
        return Attributes(self, self.nouns)

    @cached_property
    def relations(self) -> Relations:
        return Relations(self, self.nouns)

    @cached_property
    def numbers(self) -> Numbers:
        return Numbers(self)

    @cached_property
    def fixed(self) -> dict[str, list[tuple[str, ...]]]:
        """Names of several words that are one: what follows their first word, the longest first."""
        found: dict[str, list[tuple[str, ...]]] = {}
        for row in self.rows("fixed"):
            for name in filter(None, (row["name"], row["plural"])):
                first, *others = name.replace("'s", " 's").split()  # as spaCy divides them
                if not others:
                    raise row.fault("a name of one word", got=name, expected="two or more")
                found.setdefault(first, []).append(tuple(others))
        return {first: sorted(names, key=len, reverse=True) for first, names in found.items()}

    @cached_property
    def protected(self) -> re.Pattern[str] | None:
        """Finds words that must not be changed."""
        words = [*(row["word"] for row in self.rows("protect")), *self.protect]
        longest_first = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
        return re.compile(rf"(?<!\w)(?:{longest_first})(?!\w)", re.IGNORECASE) if words else None

    def check(self) -> None:
        """Read everything, so that the first fault in a table is raised."""
        _ = self.numbers, self.protected, self.fixed, self.nouns.classes
        _ = self.verbs.actors, self.verbs.actions, self.verbs.postures
        _ = self.attributes.color_names, self.attributes.states
        _ = self.attributes.color_range(None, ""), self.attributes.describing
        _ = self.relations.flips, self.relations.placements


def load_lexicon(
    folder: str | os.PathLike[str] | None = None, protect: Iterable[str] = ()
) -> Lexicon:
    """The lexicon, with the tables of a folder laid over the built-in ones, and words protected.

    Without a folder it is read once a process, and each part when it is first asked for; with one
    at once, so that the `HnclipError` of a faulty line comes before any work is done.
    """
    protect = tuple(protect)
    if folder is None:
        return Lexicon(None, protect) if protect else _built_in()
    lexicon = Lexicon(os.fspath(folder), protect)
    lexicon.check()
    return lexicon


@cache
def _built_in() -> Lexicon:
    return Lexicon()
