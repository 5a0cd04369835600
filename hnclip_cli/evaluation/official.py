"""Official scores: observations at the leaves of a tree of means."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hnclip_cli.evaluation.benchmarks import BENCHMARKS, VL_COMPO, Leaf, Metric, Place
from hnclip_cli.evaluation.cell import TEXTUAL, Cell
from hnclip_cli.evaluation.collected import Collected, Observations
from hnclip_cli.evaluation.metrics import Floats, Ints

MEAN_OF_TWELVE = "comp_avg"


@dataclass(frozen=True)
class Tree:
    """Observations at the leaves of a tree of means; ``leaf`` (n,) numbers ``leaves``."""

    margins: Floats
    clusters: Ints
    leaves: list[Leaf]
    leaf: Ints

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
        kept = sorted({leaf for leaf in renamed if leaf is not None})
        place = {leaf: number for number, leaf in enumerate(kept)}
        new = np.array([-1 if leaf is None else place[leaf] for leaf in renamed], np.int64)
        leaf = new[self.leaf]
        inside = leaf >= 0
        return Tree(self.margins[inside], self.clusters[inside], kept, leaf[inside])

    def cell(self, path: tuple[str, ...], *, is_textual: bool) -> Cell:
        parts = {leaf[:1] for leaf in self.leaves}
        return Cell(
            (*path[:-1], path[-1].format(len(parts))),
            self.margins,
            self.clusters,
            self.leaf,
            _weights(self.leaves),
            len(parts),
            is_textual,
        )


def _weights(leaves: list[Leaf]) -> Floats:
    """Weight of each leaf in the mean of means, shape (len(leaves),), adding up to 1."""
    weights = np.ones(len(leaves))
    for depth in range(max(map(len, leaves))):
        siblings: dict[Leaf, set[Leaf]] = {}
        for leaf in leaves:
            siblings.setdefault(leaf[:depth], set()).add(leaf[: depth + 1])
        weights /= [len(siblings[leaf[:depth]]) for leaf in leaves]
    return weights


def official_cells(collected: Collected, without: frozenset[str] = frozenset()) -> Iterator[Cell]:
    """The scores of benchmarks.py, and vl_compo's mean of twelve.

    Args:
        collected: the records.
        without: names of parts that no mean counts, at any level.
    """
    measures = collected.measures()
    composed: dict[str, list[tuple[str, Tree]]] = {}
    title_of = {name: title for title, names in VL_COMPO.items() for name in names}
    textual: dict[str, bool] = {}
    for benchmark in sorted({place.benchmark for place in collected.places} & BENCHMARKS.keys()):
        for metric in BENCHMARKS[benchmark]:
            tree = _tree(collected, measures, benchmark, metric).without(without)
            if not len(tree.margins):
                continue
            is_textual = all(name in TEXTUAL or "@" in name for name in sum(metric.measures, ()))
            yield from _cells_of(tree, ("benchmarks", benchmark), metric, is_textual)
            if metric.vl_compo:
                title = title_of[benchmark]
                composed.setdefault(title, []).append((benchmark, tree))
                textual[title] = textual.get(title, True) and is_textual
    if len(composed) > 1:
        yield from _vl_compo(composed, textual)


def _cells_of(
    tree: Tree, path: tuple[str, str], metric: Metric, is_textual: bool
) -> Iterator[Cell]:
    if not metric.each:
        yield tree.cell((*path, metric.name), is_textual=is_textual)
        return
    for name in sorted({leaf[0] for leaf in tree.leaves}):
        part = tree.part(name).cell((*path, ""), is_textual=is_textual)
        yield replace(part, path=(*path, metric.name.format(name)))


def _tree(
    collected: Collected, measures: dict[str, Observations], benchmark: str, metric: Metric
) -> Tree:
    trees = []
    for number, names in enumerate(metric.measures):
        found = _observations(collected, measures, names)
        prefix = (str(number),) if len(metric.measures) > 1 else ()
        trees.append((prefix, _planted(collected, found, benchmark, metric)))
    return _grafted(trees).at_least(metric.least)


def _observations(
    collected: Collected, measures: dict[str, Observations], names: Iterable[str]
) -> Observations:
    parts = []
    for name in names:
        if name.startswith("R@"):
            parts.append(collected.recalls(int(name[2:])))
        elif name in measures:
            parts.append(measures[name])
    return Observations.joined(parts)


def _planted(collected: Collected, found: Observations, benchmark: str, metric: Metric) -> Tree:
    """The observations of one benchmark at their leaves."""

    def number_by(key_of: Callable[[Place], Leaf | None]) -> tuple[list[Leaf], Ints]:
        keys = [key_of(p) if p.benchmark == benchmark else None for p in collected.places]
        distinct = sorted({key for key in keys if key is not None})
        place = {key: number for number, key in enumerate(distinct)}
        numbers = np.array([-1 if key is None else place[key] for key in keys], np.int64)
        return distinct, numbers[collected.place[found.record]]

    leaves, leaf = number_by(metric.leaf)
    clusters = collected.clusters[found.record]
    if metric.joined is None:
        inside = leaf >= 0
        return Tree(found.margin[inside], clusters[inside], leaves, leaf[inside])
    _, key = number_by(metric.joined)
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-2))
    complete = (np.diff(starts, append=len(key)) == metric.members) & (key[order][starts] >= 0)
    complete &= leaf[order][starts] >= 0
    if not complete.any():
        return Tree(np.empty(0), np.empty(0, np.int64), [], np.empty(0, np.int64))
    worst = np.minimum.reduceat(found.margin[order], starts)[complete]
    # Records that stand or fall together are drawn together.
    cluster = len(collected.clusters) + key[order][starts][complete]
    return Tree(worst, cluster, leaves, leaf[order][starts][complete])


def _grafted(trees: Sequence[tuple[Leaf, Tree]]) -> Tree:
    """Several trees as one, each under its prefix."""
    sizes = np.cumsum([0, *(len(tree.leaves) for _, tree in trees)])
    return Tree(
        np.concatenate([tree.margins for _, tree in trees]),
        np.concatenate([tree.clusters for _, tree in trees]),
        [(*prefix, *leaf) for prefix, tree in trees for leaf in tree.leaves],
        np.concatenate([tree.leaf + size for (_, tree), size in zip(trees, sizes, strict=False)]),
    )


def _vl_compo(
    composed: dict[str, list[tuple[str, Tree]]], textual: dict[str, bool]
) -> Iterator[Cell]:
    whole = []
    for title in VL_COMPO:
        if title not in composed:
            continue
        parts = composed[title]
        several = len(VL_COMPO[title]) > 1
        tree = _grafted([((name,) if several else (), tree) for name, tree in parts])
        whole.append(((title,), tree))
        yield tree.at_least(1).cell(("vl_compo", title), is_textual=textual[title])
    tree = _grafted(whole).at_least(1)
    yield tree.cell(("vl_compo", MEAN_OF_TWELVE), is_textual=all(textual.values()))
