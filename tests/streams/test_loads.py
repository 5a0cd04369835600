"""What is loaded is told to whoever asked for it, and to nobody else."""

import pytest

from hnclip_cli.streams import loads


def test_a_load_is_told_when_it_is_done_with_its_place_and_time(monkeypatch):
    told = []
    monkeypatch.setattr(loads, "tell", told.append)
    with loads.timed("a model", "/a/folder"):
        assert told == []
    assert len(told) == 1 and told[0].startswith("a model: loaded from /a/folder in 0.")


def test_one_that_fails_is_not_told(monkeypatch):
    told = []
    monkeypatch.setattr(loads, "tell", told.append)
    with pytest.raises(ValueError, match="broken"), loads.timed("a model", "/a/folder"):
        raise ValueError("broken")
    assert told == []
