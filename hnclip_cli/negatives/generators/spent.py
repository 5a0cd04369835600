"""What asking took: requests, tokens and money."""

import threading
from collections import Counter


class Spent:
    """Counts, from several threads, and says them in a line."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, **counts: int) -> None:
        with self._lock:
            self._counts.update(counts)

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def line(self, price: tuple[float, float] | None = None) -> str:
        """What has been counted; ``price`` is that of a million tokens, asked and answered."""
        counts = self._counts
        said = [_plural(counts["requests"], "request")]
        repeated = [
            f"{counts[name]:,} {words}"
            for name, words in (("retries", "after failures"), ("waits", "after a wait"))
            if counts[name]
        ]
        if repeated:
            said[0] += f" ({', '.join(repeated)})"
        if counts["counted"]:
            tokens = f"{counts['tokens_in']:,} tokens in, {counts['tokens_out']:,} out"
            if counts["counted"] < counts["answers"]:
                tokens += f" in {counts['counted']:,} of {counts['answers']:,} answers"
            said.append(tokens)
            if price is not None:
                cost = counts["tokens_in"] * price[0] + counts["tokens_out"] * price[1]
                said.append(f"cost {cost / 1e6:.4f}")
        elif counts["answers"]:
            said.append("the endpoint does not say how many tokens")
        if counts["cut"]:
            cut = _plural(counts["cut"], "answer")
            said.append(f"{cut} cut off by the limit of tokens (--max-tokens)")
        if counts["declined"]:
            said.append(f"{_plural(counts['declined'], 'refusal')} of the model")
        if counts["known"]:
            said.append(f"{_plural(counts['known'], 'answer')} known from before")
        return "; ".join(said)


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
