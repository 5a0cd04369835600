"""Official scores: observations at the leaves of a tree of means."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from hnclip_cli.benchmarks import Leaf, LeafOf, Metric, official_metrics
from hnclip_cli.evaluation.margins import Ints
from hnclip_cli.evaluation.measures import MEASURES, Accuracy, Tree, key_of
from hnclip_cli.evaluation.observations import Observations, Sample, grouped

# The mean of twelve (comp_avg) of vl_compo, the evaluation suite of FSC-CLIP (arXiv:2410.05210):
# benchmarks of one name are averaged, each by its metric that is marked ``vl_compo``.
MEAN_OF_TWELVE = "comp_avg"
# Of each its parts at the top of its mean where all official files are there.
VL_COMPO: dict[str, tuple[int, tuple[str, ...]]] = {
    "ARO": (4, ("aro-vg-relation", "aro-vg-attribution", "aro-flickr-order", "aro-coco-order")),
    "CREPE": (3, ("crepe",)),
    "EqBen": (5, ("eqben",)),
    "ImageCoDe": (1, ("imagecode",)),
    "SugarCrepe": (3, ("sugarcrepe",)),
    "SVO-Probes": (3, ("svo-probes",)),
    "VALSE": (7, ("valse",)),
    "VL-CheckList": (3, ("vl-checklist",)),
    "What'sUp": (6, ("whatsup",)),
    "Winoground": (1, ("winoground",)),
    "MMVP-VLM": (9, ("mmvp",)),
    "ColorSwap": (1, ("colorswap",)),
}


def official_accuracies(
    observations: Observations, without: frozenset[str] = frozenset()
) -> Iterator[Accuracy]:
    """The official scores of each benchmark, and vl_compo's mean of twelve.

    No mean counts the parts of the names in ``without``, at any level.
    """
    composed: dict[str, tuple[Tree, bool]] = {}
    for benchmark in sorted({place.benchmark for place in observations.places}):
        for metric in official_metrics(benchmark):
            tree = _tree(observations, benchmark, metric, without)
            if not tree:
                continue
            path = ("benchmarks", benchmark)
            measures = [MEASURES[name] for of in metric.measures for name in of]
            is_textual = all(measure.is_textual for measure in measures)
            is_share = all(measure.is_share for measure in measures)
            if metric.each:
                for name in sorted({leaf[0] for leaf in tree}):
                    part = {leaf[1:]: tree[leaf] for leaf in tree if leaf[0] == name}
                    title, key = metric.name.format(name), _key(benchmark, metric.name, name)
                    yield Accuracy.of((*path, title), key, part, is_textual, is_share=is_share)
            else:
                name = metric.name.format(len({leaf[:1] for leaf in tree}))
                key = _key(benchmark, metric.name)
                if metric.is_without and not without:
                    name += f" (not official: {metric.is_without} count)"
                    key += "_not_official"
                yield Accuracy.of((*path, name), key, tree, is_textual, is_share=is_share)
            if metric.vl_compo:
                composed[benchmark] = tree, is_textual
    yield from _vl_compo(composed)


def _key(benchmark: str, name: str, part: str = "") -> str:
    """Of "accuracy, mean of {} forms" ``benchmark.mean_of_forms.accuracy``.

    The number of parts is no part of it, so that a mean has the same key where some are absent.
    """
    measure, _, basis = name.partition(", ")
    return key_of(benchmark, basis.replace("{}", part), measure.lower())


def _tree(
    observations: Observations, benchmark: str, metric: Metric, without: frozenset[str]
) -> Tree:
    """The observations of a metric at their leaves, those that count."""
    several = len(metric.measures) > 1
    tree = _grafted(
        ((str(number),) if several else (), _planted(observations, measures, benchmark, metric))
        for number, measures in enumerate(metric.measures)
    )
    return {
        leaf: sample
        for leaf, sample in tree.items()
        if len(sample.margins) >= max(metric.least, 1) and not without.intersection(leaf)
    }


def _grafted(trees: Iterable[tuple[Leaf, Tree]]) -> Tree:
    """Several trees as one, each under its prefix."""
    return {(*prefix, *leaf): tree[leaf] for prefix, tree in trees for leaf in tree}


def _planted(
    observations: Observations, measures: Sequence[str], benchmark: str, metric: Metric
) -> Tree:
    """The observations of one benchmark at their leaves."""
    found = observations.pooled(measures, metric.rank)
    place = observations.place[found.record]

    def under(key_of: LeafOf) -> dict[Leaf, Ints]:
        keys = [key_of(p) if p.benchmark == benchmark else None for p in observations.places]
        return grouped(place, [() if key is None else (key,) for key in keys])

    if metric.joined is None:
        return {leaf: observations.sample(found, rows) for leaf, rows in under(metric.leaf).items()}
    worst: dict[Leaf, list[tuple[float, int]]] = {}
    # Records that stand or fall together are drawn together.
    for cluster, rows in enumerate(under(metric.joined).values(), len(observations.clusters)):
        if len(rows) == metric.members:
            leaf = metric.leaf(observations.places[place[rows.min()]])
            if leaf is not None:
                worst.setdefault(leaf, []).append((found.margin[rows].min(), cluster))
    return {leaf: Sample(*map(np.array, zip(*of, strict=True))) for leaf, of in worst.items()}


def _vl_compo(composed: dict[str, tuple[Tree, bool]]) -> Iterator[Accuracy]:
    """The mean of twelve and what it is of, where there is something to average."""
    whole: dict[str, tuple[Tree, bool]] = {}
    for title, (_, names) in VL_COMPO.items():
        there = {name: composed[name] for name in names if name in composed}
        if there:
            trees = [((name,) if len(names) > 1 else (), tree) for name, (tree, _) in there.items()]
            whole[title] = _grafted(trees), all(is_textual for _, is_textual in there.values())
    if len(whole) < 2:
        return
    for title, (tree, is_textual) in whole.items():
        key = key_of("vl_compo", title.lower())
        yield Accuracy.of(("vl_compo", title), key, tree, is_textual, VL_COMPO[title][0])
    tree = _grafted(((title,), tree) for title, (tree, _) in whole.items())
    is_textual = all(is_textual for _, is_textual in whole.values())
    path = ("vl_compo", MEAN_OF_TWELVE)
    yield Accuracy.of(path, ".".join(path), tree, is_textual, len(VL_COMPO))
