"""What servers announce, and how requests keep to it."""

import email.utils
import itertools
import time

import pytest

from hnclip_cli.negatives.generators import waits
from hnclip_cli.negatives.generators.waits import Pacer, announced_wait, backoff, seconds_until

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7), (" 0 ", 0), ("1.5", 1.5), (".5", 0.5), ("20ms", 0.02), ("7.66s", 7.66),
        ("6m0s", 360), ("2m59.56s", 179.56), ("1h2m3s", 3723), ("1d", 86400), ("1s500ms", 1.5),
        (email.utils.formatdate(NOW + 60, usegmt=True), 60),
        (email.utils.formatdate(NOW - 60, usegmt=True), 0),
        (str(int(NOW) + 9), 9), (str((int(NOW) + 9) * 1000), 9), ("9" * 400, float("inf")),
        ("", None), ("soon", None), ("-1", None), ("²", None), ("nan", None), ("inf", None),
        ("1.2.3s", None), ("99 Xxx 9999 99:99:99 GMT", None),
    ],
)  # fmt: skip
def test_waits_are_numbers_durations_or_dates(text, seconds):
    assert seconds_until(text, NOW) == (seconds if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {}, None),
        (429, {"retry-after": "3", "x-ratelimit-reset-tokens": "9s"}, 3),
        (429, {"retry-after": "3", "retry-after-ms": "2500"}, 2.5),
        (503, {"retry-after": "3", "retry-after-ms": "soon"}, 3),
        (429, {"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}, 1),
        (429, {"x-ratelimit-reset-requests": "1s", "x-ratelimit-remaining-requests": "3",
               "x-ratelimit-reset-tokens": "9s", "x-ratelimit-remaining-tokens": "0"}, 9),
        (429, {"x-ratelimit-reset-requests": "0s", "x-ratelimit-reset-tokens": "9s"}, 9),
        (429, {"x-ratelimit-reset": str(int(NOW) + 5)}, 5),
        (503, {"x-ratelimit-reset-requests": "1s"}, None),
        (529, {"retry-after": "3"}, 3),
        (500, {"retry-after": "3"}, None),
    ],
)  # fmt: skip
def test_the_headers_of_a_failure_say_how_long_to_wait(status, headers, seconds):
    assert announced_wait(status, headers, NOW) == seconds


def test_requests_keep_their_distance():
    pacer = Pacer(0.05)
    times = []
    for _ in range(3):
        pacer.wait()
        times.append(time.monotonic())
    assert all(later - sooner >= 0.049 for sooner, later in itertools.pairwise(times))


def test_a_pause_ends_later_for_some():
    for share, seconds in ((0, 0.1), (1, 0.15)):
        pacer = Pacer(0)
        started = time.monotonic()
        pacer.pause(0.1)
        pacer.pause(0.01)
        pacer.wait(share)
        assert time.monotonic() - started >= seconds - 0.001


def test_backoff_grows_with_jitter_and_is_bounded():
    assert backoff(1, 0) == 0.5
    assert backoff(3, 0) == 2
    assert backoff(3, 1) == 1
    assert backoff(-1, 0) == 0.125
    assert backoff(1000, 0) == waits.MAX_BACKOFF
