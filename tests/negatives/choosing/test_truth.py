import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.errors import InputError
from hnclip_cli.lexicon import load_lexicon
from hnclip_cli.negatives.choosing.truth import TrueCaptions, facts, normalized
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record

LEXICON = load_lexicon()


def test_case_spacing_and_punctuation_make_no_difference():
    assert normalized("A  cat's bed.") == normalized("a cats BED")
    assert normalized("😀") != normalized("😃")


@given(st.text(max_size=40))
def test_letters_of_ascii_are_those_of_any_text(text):
    plain = text.encode("ascii", "ignore").decode()
    by_pattern = re.sub(r"[\W_]+", "", plain.casefold()) or plain.casefold().strip()
    assert normalized(plain) == by_pattern


def test_facts_are_the_same_for_synonyms():
    assert facts("A grey sofa", LEXICON) == facts("gray couches", LEXICON)
    assert facts("a fire hydrant", LEXICON) >= facts("hydrant", LEXICON)


def test_captions_are_true_within_their_group_only():
    truth = TrueCaptions(
        [Record({"group": "1", "caption": "A cat."}), Record({"image": "2", "captions": ["A dog"]})]
    )
    assert truth.has("1", "a CAT") and truth.has("2", "a dog")
    assert not truth.has("2", "a cat")
    assert truth.names("1", next(iter(facts("kitten", LEXICON))))
    assert not truth.names("2", next(iter(facts("kitten", LEXICON))))


def test_a_bad_record_follows_the_policy():
    records = [Record({"group": "1"}), Record({"group": "1", "caption": "A cat."})]
    with pytest.raises(InputError, match='missing field "caption"'):
        TrueCaptions(records)
    policy = ErrorPolicy("skip")
    assert TrueCaptions(records, policy).has("1", "a cat")
    assert policy.num_skipped == 1
