import os

import pytest

from hnclip_cli.training import kept


@pytest.mark.parametrize(
    ("report", "measure"),
    [
        ({"accuracy": {"pair": 0.5}, "retrieval": {"image_to_text": {"R@1": 1}}},
         ("accuracy.pair", 0.5)),
        ({"matching": {"group": 0.1}}, ("matching.group", 0.1)),
        ({"retrieval": {"image_to_text": {"R@1": 0.25}}}, ("retrieval.image_to_text.R@1", 0.25)),
        ({"accuracy": {"mean": 0.5}}, ("", None)),
        ({}, ("", None)),
    ],
)  # fmt: skip
def test_models_are_compared_by_one_measure(report, measure):
    assert kept.measure_of(report) == measure


def test_files_are_copied_where_there_are_no_links(tmp_path, monkeypatch):
    (tmp_path / "weights").write_bytes(b"one")
    (tmp_path / ".hidden").touch()
    (tmp_path / kept.STATE_NAME).touch()

    def no_links(*_):
        raise OSError

    monkeypatch.setattr(os, "link", no_links)
    kept.keep(str(tmp_path), 7, 1)
    (copied,) = (tmp_path / "checkpoints" / "step-000000007").iterdir()
    assert copied.name == "weights" and copied.read_bytes() == b"one"


def test_a_copy_that_was_cut_off_does_not_count(tmp_path):
    (tmp_path / "best.new").mkdir()
    (tmp_path / "weights").write_bytes(b"one")
    kept.keep_best(str(tmp_path), 3, {"accuracy": {"pair": 0.5}})
    kept.keep_best(str(tmp_path), 4, {"accuracy": {"pair": 0.5}})  # not better
    names = sorted(path.name for path in (tmp_path / "best").iterdir())
    assert names == [kept.BEST_NAME, "weights"] and not (tmp_path / "best.new").exists()
    assert b'"step": 3' in (tmp_path / "best" / kept.BEST_NAME).read_bytes()
    kept.forget(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["weights"]
