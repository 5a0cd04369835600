import pytest

from hnclip_cli.negatives.generators.comparing import edits_between
from hnclip_cli.negatives.generators.refusals import refusal

TAKEN = [
    ("replace-noun", "A dog on a couch.", "A cat on a couch."),
    ("replace-noun", "A dog on a couch.", "A wombat on a couch."),
    ("replace-color", "a red car", "a blue car"),
    ("replace-color", "a red car", "a dark blue car"),
    ("replace-number", "Two dogs run.", "Three dogs run."),
    ("replace-verb", "A man sits on a bench", "A man stands on a bench"),
    ("replace-relation", "A man riding on a brown horse", "A man standing next to a brown horse"),
    ("flip-relation", "A cat above a table", "A cat below a table"),
    ("negate", "A dog on a sofa", "A dog not on a sofa"),
    ("negate", "A dog is barking", "A dog isn't barking"),
    ("add-attribute", "A cat on a sofa", "A purple cat on a sofa"),
    ("add-object", "A man next to a horse.", "A man next to a horse and an elephant."),
    ("swap-noun", "A dog chases an elephant.", "An elephant chases a dog."),
    ("swap-noun", "A small cat next to a big dog", "A small dog next to a big cat"),
    ("swap-noun-phrase", "The old car is in front of a red bus.",
     "A red bus is in front of the old car."),
    ("swap-adjective", "a red car and a blue bus", "a blue car and a red bus"),
]  # fmt: skip

REFUSED = [
    ("replace-noun", "A dog.", "A dog.", "nothing changed"),
    ("replace-noun", "A dog.", "  ", "nothing changed"),
    ("replace-noun", "A dog.", "A cat\x1b[31m.", "control characters"),
    ("replace-noun", "A dog on a bed", "A dog\non a bed", "control characters"),
    ("replace-noun", "A dog.", "The dog!", "it says the same"),
    ("replace-noun", "A dog on a couch", "A dog on a sofa", "it says the same"),
    ("replace-noun", "A wombat eats", "Wombats eats", "it says the same"),
    ("replace-color", "a gray cat", "a grey cat", "it says the same"),
    ("replace-noun", "A dog on a couch", "I cannot help you with this, sorry",
     "too far from the caption"),
    ("replace-noun", "A dog on a couch", "A dog on", "another kind than it says"),
    ("replace-noun", "A dog on a couch", "A brown dog on a couch", "another kind than it says"),
    ("replace-noun", "A dog on a couch", "No cat on a couch", "another kind than it says"),
    ("replace-color", "a red car", "a red bus", "another kind than it says"),
    ("swap-noun", "A dog chases a cat", "A dog chases a cow", "another kind than it says"),
    ("negate", "A dog on a sofa", "A dog under a sofa", "another kind than it says"),
    ("add-object", "A dog on a sofa", "A cat on a big sofa", "another kind than it says"),
    ("replace-noun", "A dog on a couch", "An animal on a couch", "it may be true as well"),
    ("replace-noun", "A person on a couch", "A woman on a couch", "it may be true as well"),
    ("replace-color", "a red car", "an orange car", "it may be true as well"),
    ("replace-noun", "A dog chases a cat", "A cat chases a cat",
     "it puts in what is there already"),
    ("swap-noun", "A dog next to a cat", "A cat next to a dog",
     "it says the same in another order"),
    ("swap-noun", "A dog and a cat", "A cat and a dog", "it says the same in another order"),
]  # fmt: skip


def judged(parser, kind, caption, negative):
    (parsed,) = parser.parse([caption])
    return refusal(kind, parsed, negative, edits_between(caption, negative))


@pytest.mark.parametrize(("kind", "caption", "negative"), TAKEN)
def test_what_is_false_and_near_is_taken(parser, kind, caption, negative):
    assert judged(parser, kind, caption, negative) == ""


@pytest.mark.parametrize(("kind", "caption", "negative", "reason"), REFUSED)
def test_what_is_known_to_be_bad_is_refused_with_its_reason(
    parser, kind, caption, negative, reason
):
    assert judged(parser, kind, caption, negative) == reason
