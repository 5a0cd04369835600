"""Official scores: observations at the leaves of a tree of means."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hnclip_cli.benchmarks import Leaf, LeafOf, Metric, official_metrics
from hnclip_cli.evaluation.margins import Floats, Ints
from hnclip_cli.evaluation.measures import MEASURES, Accuracy
from hnclip_cli.evaluation.observations import Observations

# The mean of twelve (comp_avg) of vl_compo, the evaluation suite of FSC-CLIP (arXiv:2410.05210):
# benchmarks of one name are averaged, each by its metric that is marked ``vl_compo``.
MEAN_OF_TWELVE = "comp_avg"
VL_COMPO: dict[str, tuple[str, ...]] = {
    "ARO": ("aro-vg-relation", "aro-vg-attribution", "aro-flickr-order", "aro-coco-order"),
    "CREPE": ("crepe",),
    "EqBen": ("eqben",),
    "ImageCoDe": ("imagecode",),
    "SugarCrepe": ("sugarcrepe",),
    "SVO-Probes": ("svo-probes",),
    "VALSE": ("valse",),
    "VL-CheckList": ("vl-checklist",),
    "What'sUp": ("whatsup",),
    "Winoground": ("winoground",),
    "MMVP-VLM": ("mmvp",),
    "ColorSwap": ("colorswap",),
}
# Parts at the top of each mean where all official files are there.
PARTS = {
    "ARO": 4, "CREPE": 3, "EqBen": 5, "SugarCrepe": 3, "SVO-Probes": 3, "VALSE": 7,
    "VL-CheckList": 3, "What'sUp": 6, "MMVP-VLM": 9, MEAN_OF_TWELVE: len(VL_COMPO),
}  # fmt: skip


@dataclass(frozen=True)
class Tree:
    """Observations at the leaves of a tree of means; ``leaf`` (n,) numbers ``leaves``."""

    margins: Floats
    clusters: Ints
    leaves: list[Leaf]
    leaf: Ints
    is_textual: bool

    def at_least(self, least: int) -> "Tree":
        """Only leaves that hold so many observations, in the order of their names."""
        enough = np.bincount(self.leaf, minlength=len(self.leaves)) >= max(least, 1)
        return self.under(lambda number, leaf: leaf if enough[number] else None)

    def without(self, names: frozenset[str]) -> "Tree":
        """Only leaves that lie under none of these parts."""
        return self.under(lambda _, leaf: None if names.intersection(leaf) else leaf)

    def part(self, name: str) -> "Tree":
        """One part at the top, as a tree of its own."""
        return self.under(lambda _, leaf: leaf[1:] if leaf[0] == name else None)

    def under(self, rename: Callable[[int, Leaf], Leaf | None]) -> "Tree":
        """Rename leaves, and drop those renamed to None; numbers follow the names."""
        renamed = [rename(number, leaf) for number, leaf in enumerate(self.leaves)]
        leaves, new = _numbered(renamed)
        leaf = new[self.leaf]
        inside = leaf >= 0
        return replace(
            self,
            margins=self.margins[inside],
            clusters=self.clusters[inside],
            leaves=leaves,
            leaf=leaf[inside],
        )

    def accuracy(self, *path: str) -> Accuracy:
        """The mean of means."""
        return Accuracy(
            path,
            self.margins,
            self.clusters,
            self.leaf,
            _weights(self.leaves),
            len({leaf[:1] for leaf in self.leaves}),
            self.is_textual,
        )


def _numbered(leaves: Sequence[Leaf | None]) -> tuple[list[Leaf], Ints]:
    """Distinct leaves by name, and the number of each one given, -1 for None."""
    distinct = sorted({leaf for leaf in leaves if leaf is not None})
    place = {leaf: number for number, leaf in enumerate(distinct)}
    return distinct, np.array([-1 if leaf is None else place[leaf] for leaf in leaves], np.int64)


def _weights(leaves: list[Leaf]) -> Floats:
    """Weight of each leaf in the mean of means, shape (len(leaves),), adding up to 1."""
    weights = np.ones(len(leaves))
    for depth in range(max(map(len, leaves))):
        siblings: dict[Leaf, set[Leaf]] = {}
        for leaf in leaves:
            siblings.setdefault(leaf[:depth], set()).add(leaf[: depth + 1])
        weights /= [len(siblings[leaf[:depth]]) for leaf in leaves]
    return weights


def official_accuracies(
    observations: Observations, without: frozenset[str] = frozenset()
) -> Iterator[Accuracy]:
    """The official scores of each benchmark, and vl_compo's mean of twelve.

    Args:
        observations: of all records.
        without: names of parts that no mean counts, at any level.
    """
    composed: dict[str, Tree] = {}
    for benchmark in sorted({place.benchmark for place in observations.places}):
        for metric in official_metrics(benchmark):
            tree = _tree(observations, benchmark, metric).without(without)
            if not len(tree.margins):
                continue
            path = ("benchmarks", benchmark)
            if metric.each:
                for name in sorted({leaf[0] for leaf in tree.leaves}):
                    yield tree.part(name).accuracy(*path, metric.name.format(name))
            else:
                num_parts = len({leaf[:1] for leaf in tree.leaves})
                yield tree.accuracy(*path, metric.name.format(num_parts))
            if metric.vl_compo:
                composed[benchmark] = tree
    yield from _vl_compo(composed)


def _tree(observations: Observations, benchmark: str, metric: Metric) -> Tree:
    trees = []
    for number, measures in enumerate(metric.measures):
        prefix = (str(number),) if len(metric.measures) > 1 else ()
        trees.append((prefix, _planted(observations, measures, benchmark, metric)))
    return _grafted(trees).at_least(metric.least)


def _planted(
    observations: Observations, measures: Sequence[str], benchmark: str, metric: Metric
) -> Tree:
    """The observations of one benchmark at their leaves."""
    found = observations.margins(measures, metric.rank)
    is_textual = all(MEASURES[measure].is_textual for measure in measures)

    def number_by(key_of: LeafOf) -> tuple[list[Leaf], Ints]:
        keys = [key_of(p) if p.benchmark == benchmark else None for p in observations.places]
        distinct, numbers = _numbered(keys)
        return distinct, numbers[observations.place[found.record]]

    leaves, leaf = number_by(metric.leaf)
    clusters = observations.clusters[found.record]
    if metric.joined is None:
        inside = leaf >= 0
        return Tree(found.margin[inside], clusters[inside], leaves, leaf[inside], is_textual)
    _, key = number_by(metric.joined)
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-2))
    complete = (np.diff(starts, append=len(key)) == metric.members) & (key[order][starts] >= 0)
    complete &= leaf[order][starts] >= 0
    if not complete.any():
        return Tree(np.empty(0), np.empty(0, np.int64), [], np.empty(0, np.int64), is_textual)
    worst = np.minimum.reduceat(found.margin[order], starts)[complete]
    # Records that stand or fall together are drawn together.
    cluster = len(observations.clusters) + key[order][starts][complete]
    return Tree(worst, cluster, leaves, leaf[order][starts][complete], is_textual)


def _grafted(trees: Sequence[tuple[Leaf, Tree]]) -> Tree:
    """Several trees as one, each under its prefix."""
    sizes = np.cumsum([0, *(len(tree.leaves) for _, tree in trees)])
    return Tree(
        np.concatenate([tree.margins for _, tree in trees]),
        np.concatenate([tree.clusters for _, tree in trees]),
        [(*prefix, *leaf) for prefix, tree in trees for leaf in tree.leaves],
        np.concatenate([tree.leaf + size for (_, tree), size in zip(trees, sizes, strict=False)]),
        all(tree.is_textual for _, tree in trees),
    )


def _vl_compo(trees: dict[str, Tree]) -> Iterator[Accuracy]:
    """The mean of twelve and what it is of, where there is something to average."""
    whole = []
    for title, names in VL_COMPO.items():
        there = [name for name in sorted(names) if name in trees]
        parts = [((name,) if len(names) > 1 else (), trees[name]) for name in there]
        if parts:
            whole.append(((title,), _grafted(parts)))
    if len(whole) < 2:
        return
    for (title,), tree in whole:
        accuracy = tree.at_least(1).accuracy("vl_compo", title)
        yield replace(accuracy, official_parts=PARTS.get(title, 1))
    accuracy = _grafted(whole).at_least(1).accuracy("vl_compo", MEAN_OF_TWELVE)
    yield replace(accuracy, official_parts=PARTS[MEAN_OF_TWELVE])
