"""The conversation of two models about an image."""

import json

import pytest
from PIL import Image

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.negatives.choosing.choice import Choosing
from hnclip_cli.negatives.generators.conme import (
    ConmeMaker,
    data_url,
    read_choice,
    read_confirmations,
)
from hnclip_cli.negatives.generators.replies import Passing
from hnclip_cli.streams.records import Record
from tests.negatives.generators.server import completion, failing, written
from tests.negatives.generators.vision import RED_DOG, STRONG, WEAK, save_images, talk

pytestmark = pytest.mark.usefixtures("one_parser", "quick")
KINDS = ("replace-noun", "replace-color")
KEY, WEAK_KEY = "sk-secret-123", "wk-hidden-456"


@pytest.fixture
def maker(tmp_path):
    save_images(tmp_path)

    def make(url, **how):
        how = {"model": STRONG, "weak_model": WEAK, "retries": 0} | how
        return ConmeMaker(Choosing(KINDS), url, image_root=str(tmp_path), **how)

    return make


def negatives(maker, record=RED_DOG):
    (made,) = maker.negatives([Record(record, line=3)])
    return [(negative["kind"], negative["caption"]) for negative in made]


def kinds_of_questions(server):
    """Which model was asked what, in order."""
    return [
        (question["model"], _sort(question["messages"][0]["content"][1]["text"]))
        for _, _, question in server.requests
    ]


def _sort(text):
    starts = {"Describe": "describe", "You write": "write", "One of two": "choose"}
    return next((sort for start, sort in starts.items() if text.startswith(start)), "confirm")


def test_what_the_weaker_model_fails_on_is_kept(serve, maker):
    server = serve(talk)
    conme = maker(server.url, price=(10, 100), weak_price=(1, 10))
    assert negatives(conme) == [
        ("replace-noun", "A red cow on a sofa."),
        ("replace-color", "A blue dog on a sofa."),
    ]
    assert kinds_of_questions(server) == [
        (STRONG, "describe"), (WEAK, "describe"),
        (STRONG, "write"), *[(WEAK, "choose")] * 4,
        (STRONG, "write"), *[(WEAK, "choose")] * 4,
        (STRONG, "confirm"),
    ]  # fmt: skip
    assert conme.summary() == [
        "4 captions written by the stronger model; 1 told apart by the weaker model; 1 left out, as"
        " the stronger model does not find them false",
        "2 of 2 written negatives kept",
        "the stronger model: 4 requests; 2,000 tokens in, 20 out in 2 of 4 answers; cost 0.0220",
        "the weaker model: 9 requests; 9,000 tokens in, 90 out; cost 0.0099",
    ]


def test_nothing_is_kept_of_a_caption_that_is_not_true(serve, maker):
    conme = maker(serve(talk).url, rounds=1)
    assert negatives(conme, RED_DOG | {"image": "blue.png"}) == []
    assert "1 left out, as the stronger model does not find the caption true" in conme.summary()[0]


def test_a_choice_of_neither_is_no_failure(serve, maker):
    def evasive(handler):
        is_choice = "A" in handler.asked
        return completion("I cannot tell.") if is_choice else talk(handler)

    server = serve(evasive)
    conme = maker(server.url, rounds=1)
    assert negatives(conme) == []
    assert "2 left out, as the weaker model chose neither A nor B" in conme.summary()[0]
    assert (STRONG, "confirm") not in kinds_of_questions(server)


def test_a_model_is_not_asked_more_than_it_was_asked_for(serve, maker):
    many = written(*(("replace-noun", f"A red {n}th on a sofa.") for n in range(99)))
    server = serve(lambda handler: many if "kinds" in handler.asked else completion("A"))
    with pytest.raises(InputError):
        negatives(maker(server.url, rounds=1))
    assert kinds_of_questions(server).count((WEAK, "choose")) == 2 * 2 * len(KINDS)


def test_the_weaker_model_is_not_asked_about_what_is_refused_anyway(serve, maker):
    bad = written(("replace-noun", "A red dog on a couch."), ("negate", "No red dog"), ("", ""))
    server = serve(lambda handler: bad if "kinds" in handler.asked else talk(handler))
    conme = maker(server.url, rounds=1)
    assert negatives(conme) == []
    assert (WEAK, "choose") not in kinds_of_questions(server)
    assert conme.summary()[1] == (
        "0 of 3 written negatives kept; refused: 1 it says the same, 1 a kind not asked for,"
        " 1 without kind or caption"
    )


@pytest.mark.parametrize(
    ("model", "bad", "problem"),
    [
        (STRONG, completion("Sure!"), "the stronger model: the answer is not the JSON asked for"),
        (WEAK, failing(500), "the weaker model: the endpoint says 500"),
        (WEAK, completion("", "content_filter"), "the weaker model: the model refuses to answer"),
    ],
)
def test_a_bad_answer_makes_a_bad_record_and_is_counted(serve, maker, model, bad, problem):
    def behavior(handler):
        is_bad = handler.question["model"] == model and (handler.asked or model == WEAK)
        return bad if is_bad else talk(handler)

    conme = maker(serve(behavior).url)
    with pytest.raises(InputError, match=f"-:3: no negatives from {problem}"):
        negatives(conme)
    who, _, words = problem.partition(": ")
    (line,) = [line for line in conme.summary() if line.startswith(f"{who}: failed attempts")]
    assert f"1 × {words}" in line


def test_what_was_answered_is_not_asked_again(serve, maker, tmp_path):
    """An error ends the conversation in the middle; it goes on there, with the same outcome."""
    whole = negatives(maker(serve(talk).url))
    resume = str(tmp_path / "answers.jsonl")
    first = serve(lambda handler: failing(401) if handler.number >= 6 else talk(handler))
    with pytest.raises(HnclipError, match="401"):
        negatives(maker(first.url, resume=resume))
    second = serve(talk)
    assert negatives(maker(second.url, resume=resume)) == whole
    assert len(first.requests) + len(second.requests) == 13 + 1
    third = serve(lambda _: failing(500))
    conme = maker(third.url, resume=resume)
    assert negatives(conme) == whole and third.requests == []
    assert conme.summary()[-1] == "the weaker model: 0 requests; 9 answers known from before"


def test_models_of_one_name_do_not_share_answers(serve, maker, tmp_path):
    """Both describe, in the same words asked; they may stand behind two addresses."""
    server, weak = serve(lambda _: completion("A dog.")), serve(lambda _: completion("A dog."))
    both = {"model": "m", "weak_model": "m", "weak_endpoint": weak.url}
    with pytest.raises(InputError):
        negatives(maker(server.url, resume=str(tmp_path / "answers.jsonl"), **both))
    assert len(weak.requests) == 1


def test_each_endpoint_gets_its_own_key_only(serve, maker):
    def repeating(handler):
        return completion(f"{KEY} {WEAK_KEY}") if not handler.asked else failing(400)

    def headers(server):
        return {headers.get("Authorization") for _, headers, _ in server.requests}

    strong, weak = serve(repeating), serve(repeating)
    for weak_key, sent in ((WEAK_KEY, f"Bearer {WEAK_KEY}"), ("", None)):
        weak.requests.clear()
        with pytest.raises(InputError):
            negatives(maker(strong.url, key=KEY, weak_endpoint=weak.url, weak_key=weak_key))
        assert (headers(strong), headers(weak)) == ({f"Bearer {KEY}"}, {sent})
    # What a server repeats of it is neither sent on nor kept.
    assert KEY not in json.dumps([question for _, _, question in strong.requests])
    one = serve(repeating)
    with pytest.raises(InputError):
        negatives(maker(one.url, key=KEY))
    assert headers(one) == {f"Bearer {KEY}"}


def test_hints_name_the_flags_of_the_weaker_model(serve, maker):
    weak = serve(lambda _: failing(404))
    with pytest.raises(HnclipError, match="another --weak-model, or --weak-endpoint up to the /v1"):
        negatives(maker(serve(talk).url, weak_endpoint=weak.url))
    with pytest.raises(HnclipError, match=r"bad --weak-endpoint.*--weak-api-key-env VAR"):
        maker("http://x/v1", weak_endpoint="http://us:pa-ss@x/v1")


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        ({}, 'missing field "image"'),
        ({"image": "none.png"}, "image not found"),
        ({"image": "http://far.example/x.png"}, "image is a URL"),
        ({"image": "answers.txt"}, "image cannot be decoded"),
    ],
)
def test_a_record_without_a_usable_image_is_bad_and_nothing_is_sent(
    serve, maker, tmp_path, image, problem
):
    (tmp_path / "answers.txt").write_text("no image")
    server = serve(talk)
    with pytest.raises(InputError, match=f"-:3: .*{problem}"):
        negatives(maker(server.url), {"caption": RED_DOG["caption"]} | image)
    assert server.requests == []


def test_images_are_made_smaller_and_stay_as_they_were():
    image = Image.new("RGB", (3000, 10))
    assert len(data_url(image)) < 5000 and image.size == (3000, 10)


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("A", "A"), ("b", "B"), (" (B).\n", "B"), ("**A**", "A"), ("A: A red dog", "A"),
        ("The answer is B.", "B"), ("Statement A is true.", "A"), ("A dog is red, so B.", "B"),
        ("B, as there's a dog.", "B"), ("", ""), ("A or B", ""), ("A dog on a sofa.", ""),
        ("Neither.", ""), ("A is true, B is false.", ""), ("I see a cat", ""),
    ],
)  # fmt: skip
def test_the_letter_of_a_choice_is_found(text, letter):
    assert read_choice(text) == letter


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"answers": {"1": "yes", "2": "No.", "3": "maybe"}}', {"1": "yes", "2": "no"}),
        ('{"1": true, "2": false}', {"1": "yes", "2": "no"}),
        ('```json\n{"answers": ["no", "yes"]}\n```', {"1": "no", "2": "yes"}),
    ],
)
def test_confirmations_are_read(text, said):
    assert read_confirmations(text) == said


@pytest.mark.parametrize("text", ["Yes.", "", "{}", '{"answers": {"1": "maybe"}}', "[" * 99_999])
def test_other_confirmations_are_asked_for_again(text):
    with pytest.raises(Passing):
        read_confirmations(text)
