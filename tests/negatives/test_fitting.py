import pytest

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.negatives.fitting import fit
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record


def test_a_model_is_fitted_from_every_true_caption(parser):
    records = [Record({"caption": "a cat"}), Record({"captions": ["a dog", "two dogs"]})]
    assert fit(records).num_captions == 3


def test_bad_records_follow_the_policy(parser):
    policy = ErrorPolicy("skip")
    records = [Record({"caption": "a cat"}), Record({"image": "x"})]
    assert fit(records, policy=policy).num_captions == 1
    assert policy.num_skipped == 1
    with pytest.raises(InputError, match='missing field "caption"'):
        fit([Record({"image": "x"})])


def test_a_model_needs_a_caption(parser):
    with pytest.raises(HnclipError, match="no captions to fit a model from"):
        fit([])
