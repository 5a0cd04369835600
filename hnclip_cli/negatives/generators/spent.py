"""What asking took: requests, tokens and money; and what went wrong."""

import threading
from collections import Counter

MAX_PROBLEMS = 5  # that are named; the words of a server make them many
_OTHERS = "others"


class Spent:
    """Counts, from several threads, and says them in a line each."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._problems: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, **counts: int) -> None:
        with self._lock:
            self._counts.update(counts)

    def fail(self, problem: str) -> None:
        """Count an attempt without a usable answer."""
        with self._lock:
            is_named = problem in self._problems or len(self._problems) < MAX_PROBLEMS
            self._problems[problem if is_named else _OTHERS] += 1

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
        if counts["known"]:
            said.append(f"{_plural(counts['known'], 'answer')} known from before")
        return "; ".join(said)

    def problems(self) -> list[str]:
        """Why attempts failed, and how many, in a line; none where none did."""
        named = [f"{count:,} × {problem}" for problem, count in self._problems.most_common()]
        return [f"failed attempts: {'; '.join(named)}"] if named else []


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
