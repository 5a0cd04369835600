"""Tokens of texts: what was tokenized lately is not tokenized again."""

import re
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor

Tokenizer = Callable[[list[str]], Tensor]

MAX_REMEMBERED = 1 << 16  # words or texts
# Cleaning mends encodings, entities of HTML and control characters. Here are none of them.
_PLAIN = re.compile(r"[\t\n -%'-~]*")


def remembering(tokenizer: Tokenizer) -> Callable[[Sequence[str]], Tensor]:
    """The same tokens, (n, context length), sooner.

    open_clip's own tokenizer is called for each new word, another one for each new text.
    """
    theirs: Any = tokenizer
    if type(theirs) is SimpleTokenizer and theirs.reduction_fn is None:
        return _Words(theirs)
    return _Texts(tokenizer)


class _Words:
    """CLIP's tokenizer, from which the tokens of words come that were not seen lately.

    It splits a text at white space before all else, so the tokens of a text are those of its
    words. Where cleaning might change a text, that is taken as a whole.
    """

    def __init__(self, tokenizer: SimpleTokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}

    def __call__(self, texts: Sequence[str]) -> Tensor:
        if len(self._known) > MAX_REMEMBERED:
            self._known = {}  # other threads still have the old one
        known, encode = self._known, self._tokenizer.encode
        start, end = self._tokenizer.sot_token_id, self._tokenizer.eot_token_id
        length = self._tokenizer.context_length
        assert length is not None
        rows = []
        for text in texts:
            row = [start]
            for part in text.split() if _PLAIN.fullmatch(text) else [text]:
                tokens = known.get(part)
                if tokens is None:
                    tokens = known[part] = encode(part)
                row += tokens
            del row[length - 1 :]
            row.append(end)
            rows.append(row)
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        padded = np.zeros((len(rows), length), np.int64)
        filled = np.arange(length) < lengths[:, None]
        padded[filled] = np.fromiter(chain.from_iterable(rows), np.int64, int(lengths.sum()))
        return torch.from_numpy(padded)


class _Texts:
    """Any tokenizer, asked for each text once, as long as it is remembered."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, Tensor] = {}

    def __call__(self, texts: Sequence[str]) -> Tensor:
        if len(self._known) > MAX_REMEMBERED:
            self._known = {}  # other threads still have the old one
        known = self._known
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known |= zip(new, self._tokenizer(new), strict=True)
        return torch.stack([known[text] for text in texts])
