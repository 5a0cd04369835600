"""What of a caption CLIP reads: its tokens up to the length of its context.

Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units" (2016), with the
vocabulary of open_clip and the same result as its tokenizer, but without importing torch.
"""

import gzip
import html
import importlib.util
from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

from hnclip_cli.streams.edits import Edit

# Tokens that CLIP reads, with those of start and end.
CONTEXT_LENGTH = 77
# Nothing shorter has as many tokens as CLIP reads, unless it is made of digits or rare signs.
MIN_BYTES = 200
_MERGES = 49152 - 256 - 2
_SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"


def are_read_alike(caption: str, negative: str, edits: Iterable[Edit], context_length: int) -> bool:
    """Whether a caption and what edits make of it are the same to CLIP.

    That is so where they differ only behind the last token that it reads.
    """
    if len(caption) <= MIN_BYTES and len(caption.encode()) <= MIN_BYTES:
        return False
    content = context_length - 2  # besides the tokens of start and end
    start = min(start for start, *_ in edits)
    if len(caption[:start].encode()) < content:
        return False
    return tokens(caption)[:content] == tokens(negative)[:content]


def tokens(text: str) -> list[str]:
    """A text as CLIP's tokens, without those of start and end."""
    import ftfy
    import regex

    clean = html.unescape(html.unescape(ftfy.fix_text(text)))
    words = regex.findall(_SPLIT, " ".join(clean.split()).lower(), regex.IGNORECASE)
    return [token for word in words for token in _of_word(word)]


@cache
def _ranks() -> dict[tuple[str, str], int]:
    """The pairs of symbols that become one, by how early."""
    package = Path(str(importlib.util.find_spec("open_clip").origin)).parent  # type: ignore[union-attr]
    lines = gzip.decompress((package / "bpe_simple_vocab_16e6.txt.gz").read_bytes()).decode()
    merges = (line.split() for line in lines.split("\n")[1 : _MERGES + 1])
    return {(first, second): rank for rank, (first, second) in enumerate(merges)}


@cache
def _symbols() -> dict[int, str]:
    """A printable sign for each byte, as the vocabulary writes it."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {
        byte: chr(256 + place) for place, byte in enumerate(others)
    }


@lru_cache(maxsize=1024)
def _of_word(word: str) -> tuple[str, ...]:
    symbols, ranks = _symbols(), _ranks()
    found = [symbols[byte] for byte in word.encode()]
    found[-1] += "</w>"
    while len(found) > 1:
        best = min(pairwise(found), key=lambda pair: ranks.get(pair, _MERGES))
        if best not in ranks:
            break
        merged: list[str] = []
        for symbol in found:
            if merged and (merged[-1], symbol) == best:
                merged[-1] += symbol
            else:
                merged.append(symbol)
        found = merged
    return tuple(found)
