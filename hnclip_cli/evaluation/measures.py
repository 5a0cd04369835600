"""What is measured, and which numbers a report has, section by section."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hnclip_cli.benchmarks import DIRECTIONS, OF_RANKS, Leaf
from hnclip_cli.evaluation.bootstrap import Resampling
from hnclip_cli.evaluation.margins import Counted, Floats, Ints, Outcomes, outcomes
from hnclip_cli.evaluation.observations import Observations, Sample

# Samples at the leaves of a tree of means.
Tree = Mapping[Leaf, Sample]

NO_BENCHMARK = "(no benchmark)"


@dataclass(frozen=True)
class Measure:
    """One measure, in the report under its name."""

    title: str
    key: str = ""  # in the key of a number; by default its name
    section: str = "matching"  # of the report; none where only official scores have it
    is_textual: bool = False  # it asks which caption is true: text alone can have an answer
    chance: float | None = None  # of random scores, where it does not depend on the record
    is_share: bool = False  # an observation is a share, and no margin


MEASURES = {
    "pair": Measure("pair accuracy", "pair_accuracy", "accuracy", is_textual=True, chance=1 / 2),
    "item": Measure("item accuracy", "accuracy", "accuracy", is_textual=True),
    "text": Measure("text score", "text_score", chance=1 / 4),
    "image": Measure("image score", "image_score", chance=1 / 4),
    "group": Measure("group score", "group_score", chance=1 / 6),
    "first_image": Measure("first image to text", section="", is_textual=True, chance=1 / 2),
    "second_image": Measure("second image to text", section="", is_textual=True, chance=1 / 2),
    "first_caption": Measure("first caption to image", section="", chance=1 / 2),
    "second_caption": Measure("second caption to image", section="", chance=1 / 2),
    "image_to_text": Measure("image to text, top 1", is_textual=True),
    "text_to_image": Measure("text to image, top 1"),
    "image_to_text_all": Measure("image to text, all true", is_textual=True),
    "text_to_image_all": Measure("text to image, all true"),
    "text_to_text": Measure("text to text, all true"),
    "half_truth": Measure("half-truth accuracy (HT)", is_textual=True),
    "ordered": Measure("correct order (COR)", is_textual=True),
}
MEASURES["average_precision"] = Measure("average precision", section="", is_share=True)
for _direction in DIRECTIONS:
    for _title, _name in OF_RANKS.items():
        MEASURES[f"{_direction}_{_name}"] = Measure(_title, section="", is_share=_title != "R")


@dataclass(frozen=True)
class Accuracy:
    """One number of the report: a weighted mean of accuracies."""

    path: tuple[str, ...]  # keys that lead to it, the section first
    key: str  # its name for programs, see `key_of`
    margins: Floats  # shape (n,)
    clusters: Ints  # what the bootstrap draws; observations of one number go together, shape (n,)
    columns: Ints  # the mean's part that each observation is in, from 0, shape (n,)
    weights: Floats  # of each part, adding up to 1
    num_parts: int  # parts at the top of the mean
    is_textual: bool  # the observations ask which caption is true
    # What ``num_parts`` is where all official files are there; None where nobody says.
    official_parts: int | None = None
    is_share: bool = False  # the margins are shares

    @classmethod
    def of(
        cls,
        path: Sequence[str],
        key: str,
        tree: Tree,
        is_textual: bool,
        official_parts: int | None = None,
        is_share: bool = False,
    ) -> "Accuracy":
        """The mean of means. Parts are numbered by name: draws do not depend on their order."""
        leaves = sorted(tree)
        margins, clusters = zip(*(tree[leaf] for leaf in leaves), strict=True)
        return cls(
            tuple(path),
            key,
            np.concatenate(margins),
            np.concatenate(clusters),
            np.repeat(np.arange(len(leaves)), [len(part) for part in margins]),
            leaf_weights(leaves),
            len({leaf[:1] for leaf in leaves}),
            is_textual,
            official_parts,
            is_share,
        )

    @property
    def num_groups(self) -> int:
        """How many clusters there are."""
        return int(np.count_nonzero(np.bincount(self.clusters)))

    @property
    def outcomes(self) -> Outcomes:
        """What each observation counts for."""
        found = outcomes(self.margins)
        return replace(found, counted=self.margins) if self.is_share else found

    def mean(self, counted: Counted) -> float:
        """The weighted mean of the parts' means of something counted, shape (n,)."""
        return float(np.bincount(self.columns, counted) / np.bincount(self.columns) @ self.weights)

    def interval(self, counted: Counted, resampling: Resampling) -> list[float] | None:
        """The interval of that mean."""
        return resampling.interval(self.clusters, self.columns, counted, self.weights)

    def resampled(self, counted: Counted, resampling: Resampling) -> Floats | None:
        """That mean in each round, shape (rounds,); None where it cannot vary."""
        return resampling.means(self.clusters, self.columns, counted, self.weights)


def key_of(*parts: str) -> str:
    """What programs call a number, as ``sugarcrepe.swap_obj.accuracy``.

    It names the benchmark or the part of the records, then the subset or the kind of mean, then the
    measure, those that there are. What is no letter, digit or one of ``-/=`` becomes ``_``.
    """
    named = (part.replace("@", "_at_") for part in parts if part)
    return ".".join(re.sub(r"[^\w/=-]+", "_", part).strip("_") for part in named)


def leaf_weights(leaves: Sequence[Leaf]) -> Floats:
    """Weight of each leaf in the mean of means, shape (len(leaves),), adding up to 1."""
    weights = np.ones(len(leaves))
    for depth in range(max(map(len, leaves))):
        siblings: dict[Leaf, set[Leaf]] = {}
        for leaf in leaves:
            siblings.setdefault(leaf[:depth], set()).add(leaf[: depth + 1])
        weights /= [len(siblings[leaf[:depth]]) for leaf in leaves]
    return weights


def accuracies(observations: Observations, fields: Sequence[str]) -> Iterator[Accuracy]:
    """The numbers of all records, broken down by fields, and the averages of each benchmark."""
    for name, measure in MEASURES.items():
        if measure.section and (name, 1) in observations.margins:
            yield from _of_measure(observations, fields, name)


def _of_measure(observations: Observations, fields: Sequence[str], name: str) -> Iterator[Accuracy]:
    measure, found = MEASURES[name], observations.margins[name, 1]

    def number(
        path: Sequence[str], where: Sequence[str], parts: Mapping[str, Ints | slice]
    ) -> Accuracy:
        tree: Tree = {(part,): observations.sample(found, rows) for part, rows in parts.items()}
        key = key_of(*where, measure.key or name)
        return Accuracy.of(path, key, tree, measure.is_textual)

    yield number((measure.section, name), ("all",), {"": slice(None)})
    for field in fields:
        labeled = observations.labeled(field, name)
        uses = Counter(label[-1] for label in labeled)
        for label, rows in labeled.items():
            if len(rows):
                # With its benchmark where several have that subset.
                alone = uses[label[-1]] == 1
                text = label[-1] if alone else "/".join(filter(None, label))
                is_place = field in ("benchmark", "subset") and label[0]
                where = label if is_place else (f"{field}={label[-1]}",)
                yield number(("by", field, text, name), where, {"": rows})
    subsets: dict[str, dict[str, Ints]] = {}
    for (benchmark, subset), rows in observations.labeled("subset", name).items():
        if len(rows):
            subsets.setdefault(benchmark or NO_BENCHMARK, {})[subset] = rows
    for benchmark, parts in subsets.items():
        path = ("averages", benchmark, name)
        for basis, of in (
            ("micro", {"": np.concatenate(list(parts.values()))}),
            ("macro over subsets", parts),
        ):
            yield number((*path, basis), (benchmark, f"{basis.split()[0]} of subsets"), of)
