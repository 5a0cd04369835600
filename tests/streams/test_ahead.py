import threading

import pytest

from hnclip_cli.errors import InputError
from hnclip_cli.streams.ahead import chunked, map_ahead


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_order(workers):
    assert list(map_ahead(lambda x: x * x, range(300), workers, depth=5)) == [
        x * x for x in range(300)
    ]


def test_work_really_runs_ahead():
    barrier = threading.Barrier(2, timeout=10)  # passes only when two run at once
    assert len(list(map_ahead(lambda x: barrier.wait(), range(2), workers=2))) == 2


def failing(count):
    yield from range(count)
    raise InputError("bad")


@pytest.mark.parametrize("workers", [0, 2])
def test_the_sources_error_comes_after_the_results_before_it(workers):
    seen = []
    with pytest.raises(InputError, match="bad"):
        for result in map_ahead(str, failing(3), workers):
            seen.append(result)
    assert seen == ["0", "1", "2"]


def test_the_functions_error_comes_in_its_place():
    seen = []
    with pytest.raises(ZeroDivisionError):
        for result in map_ahead(lambda x: 1 // x, [1, 0, 1], workers=2):
            seen.append(result)
    assert seen == [1]


def test_chunks_are_full_but_the_last():
    assert list(chunked(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(chunked([], 2)) == []


def test_a_bad_record_does_not_take_those_before_it_along():
    seen = []
    with pytest.raises(InputError):
        for chunk in chunked(failing(3), 2):
            seen.append(chunk)
    assert seen == [[0, 1], [2]]
