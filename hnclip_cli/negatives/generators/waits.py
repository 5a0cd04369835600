"""How long a client waits: what a server announces, what it does not, and all requests together."""

import email.utils
import math
import re
import threading
import time
from collections.abc import Mapping

FIRST_BACKOFF = 0.5
MAX_BACKOFF = 30.0
# After a pause requests start again over half of it, at most over this many seconds.
MAX_SPREAD = 5.0

_NUMBER = re.compile(r"\d+(?:\.\d*)?|\.\d+", re.ASCII)
_DURATION = re.compile(
    r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:([\d.]+)s)?(?:([\d.]+)ms)?", re.ASCII
)
_UNITS = (86400.0, 3600.0, 60.0, 1.0, 0.001)
# Numbers above these are points in time, in seconds and in milliseconds since 1970.
_EPOCH, _EPOCH_MS = 1e9, 1e12


def announced_wait(status: int, headers: Mapping[str, str], now: float) -> float | None:
    """The seconds that a server asks to wait before the next request; None where it does not.

    Only a server with too much to do can ask for that (429, 503, 529). ``retry-after-ms`` goes
    before ``Retry-After``. Without both, a 429 is over when the limit is reset that has nothing
    left, of those in ``x-ratelimit-reset-*``; where none says so, at the first reset.

    Args:
        status: of the response.
        headers: of the response; names in lower case, or httpx's, which know no case.
        now: seconds since 1970.
    """
    if status not in (429, 503, 529):
        return None
    milliseconds = headers.get("retry-after-ms", "").strip()
    if _NUMBER.fullmatch(milliseconds):
        return float(milliseconds) / 1000
    seconds = seconds_until(headers.get("retry-after", ""), now)
    if seconds is not None or status != 429:
        return seconds
    resets, exhausted = [], []
    for name, text in headers.items():
        seconds = seconds_until(text, now) if name.startswith("x-ratelimit-reset") else None
        if seconds:
            resets.append(seconds)
            if headers.get(name.replace("reset", "remaining"), "").strip() == "0":
                exhausted.append(seconds)
    return max(exhausted) if exhausted else min(resets, default=None)


def seconds_until(text: str, now: float) -> float | None:
    """What a header says: seconds (``7.5``), a duration (``6m0.5s``), or a point in time.

    Points in time are HTTP dates and seconds or milliseconds since 1970. None for anything else.
    """
    text = text.strip()
    if _NUMBER.fullmatch(text):
        number = float(text)
        if number < _EPOCH or math.isinf(number):
            return number
        return max(0.0, (number / 1000 if number >= _EPOCH_MS else number) - now)
    try:
        if text and (parts := _DURATION.fullmatch(text)):
            return sum(
                float(part or 0) * unit for part, unit in zip(parts.groups(), _UNITS, strict=True)
            )
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def backoff(attempt: int, share: float) -> float:
    """Seconds before a further attempt, counted from 1: twice as many each time.

    Args:
        attempt: below 1 the seconds are halved each time.
        share: from 0 to 1, of the half that may be left off.
    """
    return min(math.ldexp(FIRST_BACKOFF, attempt - 1), MAX_BACKOFF) * (1 - share / 2)


class Pacer:
    """Lets requests go one ``interval`` apart, and none during a pause; threads may share it."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._next = self._resume = self._spread = 0.0
        self._lock = threading.Lock()

    def wait(self, share: float = 0.0) -> None:
        """Until a request may go; ``share``, from 0 to 1, is its place in a restart."""
        while True:
            with self._lock:
                now = time.monotonic()
                delay = max(self._next, self._resume + share * self._spread) - now
                if delay <= 0:
                    self._next = now + self._interval
                    return
            time.sleep(delay)

    def pause(self, seconds: float) -> None:
        """Let no request go for so long, and then not all at once."""
        with self._lock:
            resume = time.monotonic() + seconds
            if resume > self._resume:
                self._resume, self._spread = resume, min(seconds / 2, MAX_SPREAD)
