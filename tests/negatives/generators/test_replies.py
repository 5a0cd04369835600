"""What is read out of the replies of servers."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.negatives.generators.replies import (
    Complaint,
    Passing,
    Unanswered,
    complaint_of,
    parsed,
    text_of,
    tokens_of,
    without_reasoning,
)
from tests.negatives.generators.server import completion


def reply(*args, **more):
    return json.loads(completion(*args, **more)[2])


@pytest.mark.parametrize(
    "text",
    [
        "{}", "<think>Hm {1}</think>{}", "\n<think>\n</think>{}", "Hm, I see.\n</think>{}",
        "<THINK>a</THINK>{}", "<thinking>a</thinking>{}", "<thought>a</thought>{}",
        "<think>a</think><think>b</think>{}", "[THINK]a[/THINK]{}",
        "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>{}",
    ],
)  # fmt: skip
def test_reasoning_before_the_answer_is_left_out(text):
    assert without_reasoning(text) == "{}"
    assert text_of(reply(text)) == "{}"


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": "{"}, {"type": "text", "text": "}"}],
        [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]},
         {"type": "text", "text": "{}"}],
        [{"type": "reasoning", "text": "Hm"}, {"type": "output_text", "text": "{}"}],
        ["{}"],
    ],
)  # fmt: skip
def test_the_parts_of_an_answer_are_joined(content):
    assert text_of(reply(content)) == "{}"


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_an_answer_that_a_server_takes_for_reasoning_is_read(name):
    assert text_of(reply(None, **{name: "\n\n{}"})) == "\n\n{}"
    assert text_of(reply("[]", **{name: "{}"})) == "[]"


@pytest.mark.parametrize(
    ("answer", "kind", "problem"),
    [
        (reply(None), Passing, "the answer holds no text"),
        (reply(""), Passing, "the answer holds no text"),
        (reply([]), Passing, "the answer holds no text"),
        (reply(3), Passing, "the answer holds no text"),
        (reply(None, reasoning_content="Hm"), Passing, "the answer holds only reasoning"),
        (reply("", reasoning="Hm"), Passing, "the answer holds only reasoning"),
        (reply("<think>Hm {}"), Passing, "the answer holds only reasoning"),
        (reply("<think>Hm</think> "), Passing, "the answer holds only reasoning"),
        (reply("{", "length"), Passing, "the answer was cut off: it"),
        (reply("{", "MAX_TOKENS"), Passing, "the answer was cut off: it"),
        (reply("<think>Hm", "length"), Passing, "the answer was cut off before it began"),
        (reply(None, "length", reasoning_content="Hm"), Passing, "cut off before it began"),
        (reply(None, refusal="I cannot"), Unanswered, "the model refuses to answer"),
        (reply("", "content_filter"), Unanswered, "the model refuses to answer"),
        ({}, Passing, "the answer is no chat completion"),
        (None, Passing, "the answer is no chat completion"),
        ({"choices": [{"message": None}]}, Passing, "the answer is no chat completion"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_told_apart(answer, kind, problem):
    with pytest.raises(kind, match=problem):
        text_of(answer)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3}, (3, 0)),
        ({"prompt_tokens": 3}, None), ({"prompt_tokens": -1, "completion_tokens": 1}, None),
        ({"prompt_tokens": True, "completion_tokens": 1}, None), ("x", None), (None, None),
    ],
)  # fmt: skip
def test_tokens_are_taken_where_they_are_said(usage, tokens):
    assert tokens_of(reply("", usage=usage)) == tokens
    assert tokens_of([]) is None


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"error": {"message": "no", "code": "c", "type": "t", "param": "seed"}},
         Complaint("no", frozenset("ct"), "seed")),
        ({"error": {"message": "no", "code": 429, "param": None}}, Complaint("no", status=429)),
        ([{"error": {"message": "no"}}], Complaint("no")),
        ({"error": "no"}, Complaint("no")),
        ({"object": "error", "message": "no", "type": "t"}, Complaint("no", frozenset("t"))),
        ({"detail": "no"}, Complaint("no")),
        ({"detail": [{"loc": ["body", "seed"], "msg": "no"}]}, Complaint("no", parameter="seed")),
        ({"error": 3}, Complaint()), ({}, Complaint()), ([], Complaint()), (None, Complaint()),
    ],
)  # fmt: skip
def test_complaints_are_read_in_their_forms(body, complaint):
    assert complaint_of(body) == complaint


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["choices", "message", "content", "error", "detail", "loc", "usage"]), inner
    ),
)  # fmt: skip


@given(JSON)
def test_any_json_is_a_reply(value):
    complaint_of(value)
    tokens_of(value)
    with contextlib.suppress(Passing, Unanswered):
        text_of(value)


def test_what_is_no_json_is_nothing():
    assert parsed(b"<html>") is None and parsed(b"[" * 100_000) is None and parsed(b"\xff") is None
