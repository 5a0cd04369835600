"""Batches that are made ahead."""

import threading
import time

import pytest
import torch

from hnclip_cli.models.load import load_clip
from hnclip_cli.models.pixels import PixelLoader
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.training.config import TrainConfig
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.feed import Batches
from tests.conftest import to_lines
from tests.factories import make_records
from tests.training.test_store import store_of


@pytest.fixture(scope="module")
def clip(tiny_run):
    return load_clip(tiny_run, device="cpu")


def draw(clip, store, num_batches, **settings):
    config = TrainConfig(batch_size=4, objective="ce-clip", **settings)
    with Batches(clip, store, config, ErrorPolicy("skip"), Ranks(), start=0) as batches:
        return [batches.draw() for _ in range(num_batches)]


def test_batches_made_ahead_are_those_made_in_line(clip, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    records = make_records(tmp_path, 9)
    records[2]["image"] = "bad.png"
    store = store_of(to_lines(*records), tmp_path)
    in_line, ahead = (draw(clip, store, 5, workers=count) for count in (0, 3))
    assert {len(batch) for batch in ahead} == {3, 4}
    for one, other in zip(in_line, ahead, strict=True):
        for name, value in vars(one).items():
            found = getattr(other, name)
            if isinstance(value, torch.Tensor):
                assert torch.equal(found, value), name
            else:
                assert found == value, name


def test_leaving_while_a_batch_is_made_ends_its_making(clip, tmp_path, monkeypatch):
    store = store_of(to_lines(*make_records(tmp_path, 9)), tmp_path)
    begun, load = threading.Event(), PixelLoader.load

    def slow(self, wanted):
        if begun.is_set():
            time.sleep(0.2)
        return load(self, wanted)

    monkeypatch.setattr(PixelLoader, "load", slow)
    config = TrainConfig(batch_size=4, workers=1)
    with Batches(clip, store, config, ErrorPolicy(), Ranks(), start=0) as batches:
        batches.draw()
        begun.set()
    assert not batches._is_making.locked()
    assert batches._loaded.gi_frame is None  # the threads that load have been told
