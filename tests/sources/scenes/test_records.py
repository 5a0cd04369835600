import pytest
from PIL import Image

from hnclip_cli.errors import HnclipError
from hnclip_cli.sources.scenes.records import scene_records


def records(folder, num_scenes, seed=0, split="train", **options):
    return list(scene_records(str(folder), num_scenes, seed=seed, split=split, **options))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_record_names_its_image_and_what_is_on_it(tmp_path):
    record = records(tmp_path / "new" / "folder", 3, seed=5, split="test")[2]
    assert list(record) == ["id", "image", "caption", "objects", "split"]
    assert record["id"] == "scenes-test-5-000002"
    assert record["image"] == f"{tmp_path}/new/folder/scenes-test-5-000002.png"
    assert record["split"] == "test"
    assert list(record["objects"][0]) == ["color", "shape", "size", "x", "y"]
    assert Image.open(record["image"]).size == (64, 64)


@pytest.mark.parametrize("folder", ["scenes", "scenes/", ".", "./scenes"])
def test_the_image_path_begins_as_the_folder_was_given(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    expected = f"{folder.removesuffix('/')}/scenes-train-0-000000.png"
    assert records(folder, 1)[0]["image"] == expected


def test_two_runs_write_the_same_bytes(tmp_path):
    runs = [records(tmp_path / name, 20) for name in ("one", "two")]
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    first, second = ([{**record, "image": record["image"][-10:]} for record in run] for run in runs)
    assert first == second


def test_a_longer_run_begins_with_the_shorter_one(tmp_path):
    short, long = records(tmp_path, 5), records(tmp_path, 12)
    assert long[:5] == short


def test_seed_and_split_change_the_scenes_and_their_names(tmp_path):
    runs = [
        records(tmp_path, 5),
        records(tmp_path, 5, seed=1),
        records(tmp_path, 5, split="test"),
    ]
    ids = [record["id"] for run in runs for record in run]
    assert len(set(ids)) == 15
    captions = [[record["caption"] for record in run] for run in runs]
    assert captions[0] != captions[1] != captions[2]


def test_the_records_do_not_depend_on_the_image_size(tmp_path):
    assert records(tmp_path, 5, image_size=32) == records(tmp_path, 5, image_size=128)


def test_what_scene_0_is_never_changes(tmp_path):
    assert records(tmp_path, 1)[0]["caption"] == "There is a yellow crescent."


def test_each_record_comes_once_its_image_is_whole(tmp_path):
    stream = scene_records(str(tmp_path), 10, seed=0, split="train")
    for count, record in enumerate(stream, start=1):
        Image.open(record["image"]).load()
        assert len(contents(tmp_path)) == count


def test_an_image_that_was_there_is_replaced(tmp_path):
    (tmp_path / "scenes-train-0-000000.png").write_text("something else")
    Image.open(records(tmp_path, 1)[0]["image"]).load()


def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(KeyboardInterrupt):
        records(tmp_path, 1)
    assert contents(tmp_path) == {}


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(HnclipError, match=r"file/x: cannot write it: Not a directory; try "):
        records(tmp_path / "file" / "x", 1)


def test_no_scenes_are_no_records(tmp_path):
    assert records(tmp_path / "new", 0) == []
