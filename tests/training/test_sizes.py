import dataclasses

import pytest
import torch

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.load import load_clip
from hnclip_cli.streams.images import ImageRoot
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.training import sizes
from hnclip_cli.training.config import AUTO, TrainConfig
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.run import train
from hnclip_cli.training.sizes import SHARE, choose_sizes, free_bytes, largest
from hnclip_cli.training.store import RecordStore
from tests.factories import make_records


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Many, of few images."""
    folder = tmp_path_factory.mktemp("records")
    made = make_records(folder)
    return [
        record | {"image": str(folder / record["image"]), "id": f"{record['id']}-{number}"}
        for number in range(500)
        for record in made
    ]


@pytest.fixture
def store(records):
    return RecordStore(records, ImageRoot("."), ErrorPolicy())


@pytest.fixture(scope="module")
def clip():
    return load_clip("hnclip-tiny-vit", device="cpu", precision="bf16")


def give(monkeypatch, megabytes):
    monkeypatch.setattr(sizes, "free_bytes", lambda device: megabytes * 1e6)


def choose(clip, store, ranks=Ranks(), **settings):
    notes = []
    config = TrainConfig(
        **{"steps": 2, "negatives_per_caption": 2, "objective": "ce-clip"} | settings
    )
    return choose_sizes(config, clip, store, ranks, notes.append), notes


@pytest.mark.parametrize("most", [0, 1, 2, 9, 64, 65, 777, 1000])
@pytest.mark.parametrize("first", [1, 64, 1000])
def test_the_largest_of_sizes_is_found_in_few_steps(most, first):
    asked = []

    def needs(size):
        asked.append(size)
        return 500 + 3 * size + 0.001 * size**2

    budget = 500 + 3 * most + 0.001 * most**2 + 1
    found = largest(needs, budget, range(1, 1001), first)
    assert most / 1.02 - 1 < found <= most
    assert len(asked) <= 9


def test_a_need_that_does_not_grow_gives_the_largest():
    assert largest(lambda size: 5, 10, range(4, 401, 4), 8) == 400
    assert largest(lambda size: 5, 10, range(4, 4, 4), 8) == 0


def test_a_batch_fills_the_memory(clip, store, monkeypatch):
    give(monkeypatch, 180)
    config, notes = choose(clip, store, batch_size=AUTO)
    assert config.batch_size % 8 == 0 and 100 < config.batch_size < 400
    assert notes[0].startswith(f"--batch-size auto: {config.batch_size}; a step takes about 0.")
    give(monkeypatch, 10_000)
    assert choose(clip, store, batch_size=AUTO)[0].batch_size == 3000


def test_micro_batches_fill_the_memory_that_the_whole_batch_exceeds(clip, store, monkeypatch):
    give(monkeypatch, 380)
    config, notes = choose(clip, store, batch_size=2400, micro_batch=AUTO)
    assert 400 < config.micro_batch < 1000 and config.micro_batch % 8 == 0
    assert f"--micro-batch auto: {config.micro_batch};" in notes[0]
    give(monkeypatch, 10_000)
    assert choose(clip, store, batch_size=2400, micro_batch=AUTO)[0].micro_batch == 0


def test_no_room_at_all_is_an_error(clip, store, monkeypatch):
    give(monkeypatch, 50)
    with pytest.raises(HnclipError, match=r"--batch-size auto: not one pair fits; got 0\.1 GB"):
        choose(clip, store, batch_size=AUTO)
    with pytest.raises(HnclipError, match="--micro-batch auto: not one pair fits"):
        choose(clip, store, micro_batch=AUTO)


def test_the_rank_with_the_least_memory_decides(clip, store, monkeypatch):
    @dataclasses.dataclass(frozen=True)
    class OfTwo(Ranks):
        def max(self, tensor):
            return torch.maximum(tensor, torch.tensor(-32))  # the other has room for 32

    give(monkeypatch, 10_000)
    config, _ = choose(clip, store, OfTwo(size=2), batch_size=AUTO)
    assert config.batch_size == 32


def test_a_device_without_cuda_is_refused():
    with pytest.raises(HnclipError, match="auto sizes need a CUDA device; got device cpu"):
        free_bytes(torch.device("cpu"))


def test_both_sizes_at_once_are_refused():
    with pytest.raises(HnclipError, match="both auto"):
        TrainConfig(batch_size=AUTO, micro_batch=AUTO)


def test_choosing_changes_neither_model_nor_random_numbers(clip, store, monkeypatch):
    give(monkeypatch, 180)
    before = {name: value.clone() for name, value in clip.module.state_dict().items()}
    training, state = clip.module.training, torch.get_rng_state()
    choose(clip, store, batch_size=AUTO)
    assert torch.equal(torch.get_rng_state(), state)
    assert clip.module.training == training
    assert all(torch.equal(before[name], x) for name, x in clip.module.state_dict().items())
    assert all(parameter.grad is None for parameter in clip.module.parameters())


def test_a_run_keeps_what_was_chosen_when_it_is_taken_up_again(records, tmp_path, monkeypatch):
    give(monkeypatch, 180)
    notes, output = [], str(tmp_path / "run")
    config = TrainConfig(steps=1, batch_size=AUTO, negatives_per_caption=2, workers=0)
    options = {"model": "hnclip-tiny-vit", "output": output, "device": "cpu", "note": notes.append}
    train(records, config, **options)
    (chosen,) = [note for note in notes if "auto" in note]
    number = int(chosen.split(":")[1].split(";")[0])
    give(monkeypatch, 1)  # choosing again would fail
    notes.clear()
    trained = train(records, config, resume=True, **options)
    assert trained.step == 1 and not any("auto" in note for note in notes)
    assert f'"batch_size": {number}' in (tmp_path / "run" / "hnclip_run.json").read_text()


def test_a_share_is_left_free():
    assert 0.85 < SHARE < 0.95
