"""Which numbers a report has, section by section."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from hnclip_cli.evaluation.cell import TEXTUAL, Cell
from hnclip_cli.evaluation.collected import Collected, Label, Labeling, Observations
from hnclip_cli.evaluation.metrics import Ints
from hnclip_cli.evaluation.official import official_cells

ACCURACY = ("pair", "item")
NO_BENCHMARK = "(no benchmark)"


def all_cells(
    collected: Collected, fields: Sequence[str], without: frozenset[str] = frozenset()
) -> Iterator[Cell]:
    """Every number of a report but retrieval, section by section.

    Two collections of the same records, whatever their scores, give the same cells in the same
    order, with the same observations.

    Args:
        collected: the records.
        fields: to break the measures down by.
        without: names of parts that the means of official scores leave out.
    """
    for measure, observations in collected.measures().items():
        yield from _measured(collected, fields, measure, observations)
    yield from official_cells(collected, without)


def _measured(
    collected: Collected, fields: Sequence[str], measure: str, observations: Observations
) -> Iterator[Cell]:
    def cell(path: tuple[str, ...], chosen: Ints | slice) -> Cell:
        margins = observations.margin[chosen]
        return Cell(
            (*path, measure),
            margins,
            collected.clusters[observations.record[chosen]],
            np.zeros(len(margins), np.int64),
            np.ones(1),
            is_textual=measure in TEXTUAL,
        )

    yield cell(("accuracy" if measure in ACCURACY else "matching",), slice(None))
    for field in fields:
        labeling = collected.labeling(field, measure, observations)
        if labeling is not None:
            for text, chosen in _by_label(labeling):
                yield cell(("by", field, text), chosen)
    subsets = collected.labeling("subset", measure, observations)
    if subsets is not None:
        for benchmark, chosen, columns in _by_benchmark(subsets):
            pooled = cell(("averages", benchmark), chosen)
            num = int(columns.max()) + 1
            yield replace(pooled, path=(*pooled.path, "micro"))
            yield replace(
                pooled,
                path=(*pooled.path, "macro over subsets"),
                columns=columns,
                weights=np.full(num, 1 / num),
                num_parts=num,
            )


def _by_label(labeling: Labeling) -> Iterator[tuple[str, Ints]]:
    """The observations of each label that has any, under its text."""
    texts = _texts(labeling.names)
    order = np.argsort(labeling.label, kind="stable")
    labels, starts = np.unique(labeling.label[order], return_index=True)
    for label, chosen in zip(labels, np.split(order, starts[1:]), strict=True):
        yield texts[label], labeling.observation[chosen]


def _texts(names: list[Label]) -> list[str]:
    """Labels as text: the last part, with its benchmark where several have that subset."""
    uses = Counter(name[-1] for name in names)
    return [name[-1] if uses[name[-1]] == 1 else "/".join(filter(None, name)) for name in names]


def _by_benchmark(subsets: Labeling) -> Iterator[tuple[str, Ints, Ints]]:
    """Of each benchmark its observations, and their subsets numbered from 0."""
    benchmark_of = np.array([name[0] for name in subsets.names])
    used = np.unique(subsets.label)
    for benchmark in np.unique(benchmark_of[used]):
        inside = benchmark_of[subsets.label] == benchmark
        names = [subsets.names[label] for label in used if benchmark_of[label] == benchmark]
        # Numbered by name, so that the draws do not depend on the order of the records.
        place = {name: number for number, name in enumerate(sorted(names))}
        column_of = np.array([place.get(name, -1) for name in subsets.names])
        yield (
            str(benchmark) or NO_BENCHMARK,
            subsets.observation[inside],
            column_of[subsets.label[inside]],
        )
