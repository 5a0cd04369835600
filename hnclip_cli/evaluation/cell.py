"""One number of the report: the margins it is made of and how they are averaged."""

from dataclasses import dataclass

import numpy as np

from hnclip_cli.evaluation.metrics import Bools, Floats, Ints

# Measures that ask which caption is true: text alone can have an answer to them.
TEXTUAL = {"pair", "item", "image_to_text", "image_to_text_all"}


@dataclass(frozen=True)
class Cell:
    """One number of the report: a weighted mean of accuracies.

    Attributes:
        path: keys that lead to it, the section first.
        margins: shape (n,).
        clusters: what the bootstrap draws; observations of one number go together, shape (n,).
        columns: the mean's part that each observation is in, from 0, shape (n,).
        weights: of each part, adding up to 1.
        num_parts: parts at the top of the mean.
        is_textual: the observations ask which caption is true.
    """

    path: tuple[str, ...]
    margins: Floats
    clusters: Ints
    columns: Ints
    weights: Floats
    num_parts: int = 1
    is_textual: bool = True

    def mean(self, correct: Bools | Ints) -> float:
        """The weighted mean of the parts' means of something counted, shape (n,)."""
        if len(self.weights) == 1:
            return int(correct.sum()) / len(correct)
        accuracy = np.bincount(self.columns, correct) / np.bincount(self.columns)
        return float(accuracy @ self.weights)
