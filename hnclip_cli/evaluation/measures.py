"""What is measured, and which numbers a report has, section by section."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hnclip_cli.evaluation.margins import Bools, Floats, Ints
from hnclip_cli.evaluation.observations import Label, Labeling, Observations

NO_BENCHMARK = "(no benchmark)"


@dataclass(frozen=True)
class Measure:
    """One measure, in the report under its name.

    Attributes:
        title: for people.
        section: of the report.
        is_textual: it asks which caption is true: text alone can have an answer.
    """

    title: str
    section: str = "matching"
    is_textual: bool = False


MEASURES = {
    "pair": Measure("pair accuracy", "accuracy", is_textual=True),
    "item": Measure("item accuracy", "accuracy", is_textual=True),
    "text": Measure("text score"),
    "image": Measure("image score"),
    "group": Measure("group score"),
    "image_to_text": Measure("image to text, top 1", is_textual=True),
    "text_to_image": Measure("text to image, top 1"),
    "image_to_text_all": Measure("image to text, all true", is_textual=True),
    "text_to_image_all": Measure("text to image, all true"),
}


@dataclass(frozen=True)
class Accuracy:
    """One number of the report: a weighted mean of accuracies.

    Attributes:
        path: keys that lead to it, the section first.
        margins: shape (n,).
        clusters: what the bootstrap draws; observations of one number go together, shape (n,).
        columns: the mean's part that each observation is in, from 0, shape (n,).
        weights: of each part, adding up to 1.
        num_parts: parts at the top of the mean.
        is_textual: the observations ask which caption is true.
        official_parts: what ``num_parts`` is where all official files are there; None where
            nobody says.
    """

    path: tuple[str, ...]
    margins: Floats
    clusters: Ints
    columns: Ints
    weights: Floats
    num_parts: int = 1
    is_textual: bool = True
    official_parts: int | None = None

    def mean(self, correct: Bools | Ints) -> float:
        """The weighted mean of the parts' means of something counted, shape (n,)."""
        if len(self.weights) == 1:
            return int(correct.sum()) / len(correct)
        accuracy = np.bincount(self.columns, correct) / np.bincount(self.columns)
        return float(accuracy @ self.weights)


def accuracies(observations: Observations, fields: Sequence[str]) -> Iterator[Accuracy]:
    """The numbers of all records, broken down by fields, and the averages of each benchmark."""
    for measure in observations.measured:
        yield from _of_measure(observations, fields, measure)


def _of_measure(observations: Observations, fields: Sequence[str], name: str) -> Iterator[Accuracy]:
    measure, found = MEASURES[name], observations.measured[name]

    def number(path: tuple[str, ...], chosen: Ints | slice) -> Accuracy:
        margins = found.margin[chosen]
        return Accuracy(
            (*path, name),
            margins,
            observations.clusters[found.record[chosen]],
            np.zeros(len(margins), np.int64),
            np.ones(1),
            is_textual=measure.is_textual,
        )

    yield number((measure.section,), slice(None))
    for field in fields:
        labeling = observations.labeling(field, name)
        if labeling is not None:
            for text, chosen in _by_label(labeling):
                yield number(("by", field, text), chosen)
    subsets = observations.labeling("subset", name)
    if subsets is not None:
        for benchmark, chosen, columns in _by_benchmark(subsets):
            pooled = number(("averages", benchmark), chosen)
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
