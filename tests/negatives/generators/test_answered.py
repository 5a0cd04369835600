"""Answers that outlive a run."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from hnclip_cli.errors import HnclipError
from hnclip_cli.negatives.generators.answered import Answered

DRAFTS = [("negate", "no dög\u2028"), ("", "")]


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "answers.jsonl")


def test_answers_are_found_again(path):
    first = Answered(path)
    assert first.drafts(5) is None
    first.add(5, "a", DRAFTS)
    first.add(2**64 - 1, "b", [])
    for answered in (first, Answered(path)):
        assert (answered.drafts(5), answered.drafts(2**64 - 1)) == (DRAFTS, [])


@pytest.mark.parametrize("left", range(1, 90, 8))
def test_a_torn_line_is_passed_over(path, left):
    first = Answered(path)
    first.add(1, "a", DRAFTS)
    with open(path, "rb") as stream:
        line = stream.read()
    with open(path, "ab") as stream:
        stream.write(line.replace(b"0001", b"0002")[:left])
    second = Answered(path)
    assert (second.drafts(1), second.drafts(2)) == (DRAFTS, None)
    second.add(3, "c", [])
    second.add(4, "d", DRAFTS)
    for answered in (second, Answered(path)):
        assert [answered.drafts(n) for n in range(5)] == [None, DRAFTS, None, [], DRAFTS]


def test_a_line_without_its_end_is_an_answer(path):
    Answered(path).add(1, "a", DRAFTS)
    with open(path, "r+b") as stream:
        stream.truncate(len(stream.read()) - 1)
    answered = Answered(path)
    assert answered.drafts(1) == DRAFTS
    answered.add(2, "b", [])
    assert (Answered(path).drafts(1), Answered(path).drafts(2)) == (DRAFTS, [])


def test_runs_and_threads_may_share_a_file(path):
    both = [Answered(path), Answered(path)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: both[n % 2].add(n, str(n), [("negate", str(n))]), range(200)))
    answered = Answered(path)
    assert [answered.drafts(n) for n in range(200)] == [[("negate", str(n))] for n in range(200)]


@pytest.mark.parametrize("content", [b'{"caption": "a dog"}\n', b"\x00\xff", b"[]\n", b"a dog"])
def test_another_file_is_refused_and_stays(path, content):
    with open(path, "wb") as stream:
        stream.write(content)
    with pytest.raises(HnclipError, match=r"answers.jsonl:1: not an answer of an earlier run"):
        Answered(path)
    with open(path, "rb") as stream:
        assert stream.read() == content


def test_a_file_that_cannot_be_written_is_refused_at_once(tmp_path):
    with pytest.raises(HnclipError, match="not a file"):
        Answered(str(tmp_path))
    with pytest.raises(HnclipError, match="No such file"):
        Answered(str(tmp_path / "none" / "x"))
