import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.sources.names import expand_braces, is_image

PATTERNS = [
    "a.tar", "s-{000..003}.tar", "{8..11}", "{08..11}", "{3..1}", "{a,b}", "{a,b}-{0..1}",
    "x{a,{b,c}}y", "x{a,}", "{0..2}{3..4}/{p,q}.tar", "{5..5}", "x{}y", "x{a}y", "{a,b", "a}b",
    "{{a,b}}", "{a..c..d}", "}{", "{a,b}}", "{x{0..1}",
]  # fmt: skip


@pytest.mark.skipif(not shutil.which("bash"), reason="bash says what is right")
@pytest.mark.parametrize("pattern", PATTERNS)
def test_braces_are_expanded_as_by_bash(pattern):
    said = subprocess.check_output(["bash", "-c", f"printf '%s\\n' {pattern}"], text=True)
    assert list(expand_braces(pattern)) == said.splitlines()


@given(st.text("ab01{},.", max_size=14))
def test_nothing_is_lost_and_it_ends(pattern):
    names = list(expand_braces(pattern))
    assert names
    if "{" not in pattern:
        assert names == [pattern]


def test_names_come_one_by_one_however_many_there_are():
    names = expand_braces("{000000000..999999999}")
    assert [next(names) for _ in range(2)] == ["000000000", "000000001"]


def test_images_are_known_by_their_ending():
    assert is_image("a.JPG") and is_image("x/a.b.webp")
    assert not is_image("a.txt") and not is_image("jpg") and not is_image("a.jpg/b")
