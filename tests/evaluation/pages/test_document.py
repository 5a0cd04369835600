"""The frame of every page: what it may request, and that whatever comes in stays text."""

import base64
import hashlib
import html
import json
import re

from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.evaluation.pages.document import MAX_LETTERS, document, in_script, visible

ATTACK = '<script>document.title="owned"</script>"\'><img src=x onerror=alert(1)>'
TURNED = "a \u202ereversed\u2066 text\u0000"


def data_of(page):
    """The data that stand in a page for its scripts."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(found[1])


def page_of(title="t", **data):
    return document(title, "<main></main>", data, styles=["base.css"], scripts=["common.js"])


def test_the_policy_allows_the_page_its_own_style_and_script_and_nothing_else():
    page = page_of()
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1])
    assert policy.startswith("default-src 'none'; img-src data:; base-uri 'none';")
    for element in ("style", "script"):
        (content,) = re.findall(f"<{element}>(.*?)</{element}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy


@given(st.text(max_size=60) | st.sampled_from([ATTACK, TURNED, "</script>", "<!--<script>"]))
def test_data_are_what_they_were_and_end_no_element(text):
    page = page_of(title=text, text=text)
    whole = text.encode("utf-8", "replace").decode()
    assert data_of(page)["text"] == whole
    assert page.lower().count("<script") == page.lower().count("</script") == 2
    assert page.count("<title>") == 1


def test_a_script_holds_no_end_of_itself():
    text = "</script><!-- & \u2028"
    assert not re.search("[<>&\u2028]", in_script(text))
    assert json.loads(in_script(text)) == text


def test_what_would_turn_the_text_after_it_is_seen():
    assert visible(TURNED) == r"a \u202ereversed\u2066 text\x00"
    assert visible("two\tcolumns\nand lines") == "two columns and lines"
    persian = "می\u200cخواهم"
    assert visible(persian) == persian


def test_the_beginning_of_a_very_long_text_is_shown():
    assert visible("word " * 8000) == ("word " * 400)[:MAX_LETTERS] + "…"


def test_pictures_stand_behind_the_scripts():
    page = document(
        "t", "", {}, styles=[], scripts=["common.js"], pictures=["data:1", None, "data:2"]
    )
    assert page.index("data:1") > page.index("const data =")
    assert 'id="picture-2">data:2<' in page and "picture-1" not in page
