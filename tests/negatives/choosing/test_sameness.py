import pytest

from hnclip_cli.lexicon import load_lexicon
from hnclip_cli.negatives.choosing.sameness import Saying
from hnclip_cli.negatives.kinds.registry import KINDS
from tests.negatives.makers import by_rules


@pytest.mark.parametrize(
    ("caption", "text"),
    [
        ("A dog on a bed and a cat on a rug.", "a cat on a rug, a dog on a bed"),
        ('the cat & a dog; "a bed"', "bed, dog, cat"),
        ("A dog near a cat", "a cat near a dog"),
        ("A dog next to a cat", "a cat next to a dog"),
        ("A man and woman dancing", "a woman and man dancing"),
        ("A big red dog", "a red big dog"),
        ("Two cats sit on a mat", "on a mat two cats sit"),
        ("On a mat two cats sit", "two cats sit on a mat"),
    ],
)
def test_what_may_stand_in_any_order_says_the_same(caption, text):
    assert Saying(caption, load_lexicon()).is_said_by(text)


@pytest.mark.parametrize(
    ("caption", "text"),
    [
        ("a cat on a bed", "a bed on a cat"),
        ("A red car near a blue bus", "A blue car near a red bus"),
        ("A big dog near a small cat", "a small dog near a big cat"),
        ("Two cats sit on a mat", "a mat sit on two cats"),
        ("A cup on a plate by a fork", "A plate on a cup by a fork"),
    ],
)
def test_what_says_something_else_does_not(caption, text):
    assert not Saying(caption, load_lexicon()).is_said_by(text)


@pytest.mark.parametrize(
    "caption", ["A dog near a cat", "A big red dog", "Man and woman", "Two cats sit on a mat"]
)
def test_no_order_of_words_says_the_same(parser, caption):
    from hnclip_cli.streams.records import Record

    saying = Saying(caption, load_lexicon())
    kinds = [name for name, kind in KINDS.items() if kind.change == "order"]
    for number in range(20):
        record = Record({"id": str(number), "caption": caption})
        for negative in by_rules(*kinds).negatives([record])[0]:
            assert not saying.is_said_by(negative["caption"])
