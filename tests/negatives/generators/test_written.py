"""From what is written, by a server or by anybody, to negatives."""

import pytest

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.negatives.choosing.choice import Choosing
from hnclip_cli.negatives.choosing.truth import TrueCaptions
from hnclip_cli.negatives.generators.chat import ChatMaker
from hnclip_cli.negatives.generators.written import WrittenMaker
from hnclip_cli.streams.records import Record
from tests.negatives.generators.server import failing, good, written

pytestmark = pytest.mark.usefixtures("one_parser")
KINDS = ("replace-noun", "replace-color", "negate")
DOG = {"caption": "A red dog on a sofa."}


def maker(url, **choices):
    return ChatMaker(Choosing(KINDS, **choices), url, retries=0)


def ask(url, record, **choices):
    return maker(url, **choices).negatives([record])[0]


def kept(drafts, record=DOG, kinds=KINDS, **choices):
    writer = WrittenMaker(Choosing(kinds, **choices), lambda _: drafts)
    return writer.negatives([Record(record)])[0]


def test_a_record_is_asked_about_and_judged(serve):
    writer = maker(serve(good).url)
    assert writer.negatives([Record(DOG)]) == [
        [
            {"caption": "A red cat on a sofa.", "kind": "replace-noun", "edits": [[6, 9, "cat"]]},
            {
                "caption": "A blue dog on a sofa.",
                "kind": "replace-color",
                "edits": [[2, 5, "blue"]],
            },
        ]
    ]
    assert writer.summary() == [
        "2 of 2 written negatives kept",
        "1 request; the endpoint does not say how many tokens",
    ]


def test_what_was_refused_is_counted_by_reason():
    drafts = [
        ("replace-noun", "A red dog on a couch."),
        ("replace-noun", "A red cat on a sofa."),
        ("replace-noun", "A red cow on a sofa."),
        ("shuffle-words", "red A dog"),
        ("", ""),
    ]
    writer = WrittenMaker(Choosing(KINDS), lambda record: drafts if record == DOG else [])
    assert len(writer.negatives([Record(DOG)])[0]) == 1
    assert writer.summary() == [
        "1 of 5 written negatives kept; refused: 1 it says the same, 1 a kind not asked for,"
        " 1 without kind or caption, 1 true of the image, double or not needed"
    ]


@pytest.mark.parametrize(
    ("caption", "draft", "reason"),
    [
        ("A wide street without cars", "A wide street without dogs", "what the caption denies"),
        ("A man without a hat", "A man with a hat", "what the caption denies"),
        ("A dog or a cat on a sofa", "A horse or a cat on a sofa", "what the caption leaves open"),
        ('A sign that says "two dogs"', 'A sign that says "two cats"', "what the caption quotes"),
        ("A man holds a corn dog", "A man holds a corn cat", "part of a fixed name"),
        ("A black iPhone 12 on a table", "A black Nokia on a table", "the name of somebody or"),
        ("A <b>dog</b> on a sofa", "A <i>cat</i> on a sofa", "a protected word or markup"),
        ("A dog here. " * 30 + "A dog", "A dog here. " * 30 + "A cat", "only words that CLIP does"),
    ],
)
def test_what_no_negative_may_change_is_refused_and_counted(caption, draft, reason):
    kinds = ("replace-noun", "negate")
    writer = WrittenMaker(Choosing(kinds), lambda _: [(kind, draft) for kind in kinds])
    assert writer.negatives([Record({"caption": caption})]) == [[]]
    assert f"1 it changes {reason}" in writer.summary()[0]


def test_nothing_is_written_about_captions_that_are_not_english():
    records = [Record({"caption": "Ein Hund liegt auf dem Sofa"}), Record(DOG)]
    asked = []
    writer = WrittenMaker(Choosing(KINDS), asked.append)
    with pytest.raises(TypeError):  # it writes nothing at all about the other
        writer.negatives(records)
    assert asked == records[1:]
    assert writer.summary()[1:] == ["captions that are not English, and get no negatives: 1"]


def test_a_wrong_article_is_mended():
    caption = "A dog on a sofa and a hat."
    drafts = [("replace-noun", "A dog on a sofa and a umbrella.")]
    (negative,) = kept(drafts, {"caption": caption})
    assert negative["caption"] == "A dog on a sofa and an umbrella."
    assert negative["edits"] == [[20, 21, "an"], [22, 25, "umbrella"]]


def test_other_captions_of_the_image_are_true():
    truth = TrueCaptions([Record({"caption": "two cats", "group": "1"})])
    drafts = [("replace-noun", "A red cat on a sofa."), ("replace-noun", "A red cow on a sofa.")]
    (negative,) = kept(drafts, {**DOG, "group": "1"}, truth=truth)
    assert negative["caption"] == "A red cow on a sofa."


def test_so_many_are_kept_as_are_wanted():
    drafts = [("replace-noun", "A red cow on a sofa."), ("negate", "A red dog not on a sofa.")]
    assert len(kept(drafts)) == 2
    assert len(kept(drafts, per_caption=1)) == 1
    assert len({kept(drafts, per_caption=1, seed=seed)[0]["kind"] for seed in range(9)}) == 2


def test_a_caption_too_long_to_be_one_is_not_sent(serve):
    server = serve(good)
    assert ask(server.url, Record({"caption": "a dog " * 1000})) == []
    assert server.requests == []


def test_a_question_without_answer_is_a_bad_record(serve):
    with pytest.raises(InputError, match=r"-:7: no negatives from the endpoint: .*500"):
        ask(serve(lambda _: failing(500)).url, Record(DOG, line=7))


def test_a_wrong_key_is_no_bad_record(serve):
    with pytest.raises(HnclipError) as caught:
        ask(serve(lambda _: failing(401)).url, Record(DOG))
    assert not isinstance(caught.value, InputError)


def test_a_model_that_writes_nothing_leaves_an_empty_list(serve):
    assert ask(serve(lambda _: written()).url, Record(DOG)) == []


def test_swaps_of_nouns_are_judged_by_the_relation_between(parser):
    drafts = [("swap-noun", "A sofa on a red dog.")]
    assert kept(drafts, kinds=("swap-noun",)) != []
    drafts = [("swap-noun", "A cat near a dog")]
    assert kept(drafts, {"caption": "A dog near a cat"}, kinds=("swap-noun",)) == []
