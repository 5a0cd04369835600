import open_clip
import pytest
from click.testing import CliRunner
from huggingface_hub import constants

from hnclip_cli import known
from hnclip_cli.cli import cli
from hnclip_cli.errors import HnclipError
from hnclip_cli.models import fetch as room
from tests.conftest import parse_lines


@pytest.fixture
def downloads(tmp_path, monkeypatch):
    """What is fetched, from a network that has all weights."""
    monkeypatch.setattr(known, "check_weights", lambda name, tag: None)
    asked = []

    def download(registered):
        assert not constants.HF_HUB_OFFLINE
        asked.append(registered["hf_hub"])
        (tmp_path / "w.safetensors").write_bytes(b"four")
        return str(tmp_path / "w.safetensors")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(room, "download_pretrained", download)
    return asked


def test_weights_of_tags_are_fetched_and_their_files_named(downloads, tmp_path):
    result = CliRunner().invoke(cli, ["fetch", "ViT-B-32,openai", "hnclip-tiny"])
    assert result.exit_code == 0, result.stderr
    said = parse_lines(result.stdout_bytes)
    file = str(tmp_path / "w.safetensors")
    assert said == [
        {"model": "ViT-B-32", "pretrained": "openai", "weights": file, "bytes": 4},
        {"model": "hnclip-tiny", "pretrained": None, "weights": None, "bytes": None},
    ]
    assert downloads == [open_clip.get_pretrained_cfg("ViT-B-32", "openai")["hf_hub"]]


def test_what_cannot_be_fetched_is_one_line(downloads, monkeypatch):
    def fail(registered):
        raise OSError("the disk is full")

    monkeypatch.setattr(room, "download_pretrained", fail)
    with pytest.raises(HnclipError, match="the disk is full"):
        room.fetch("ViT-B-32", "openai")


@pytest.mark.parametrize("model", ["ViT-B-32,opnai", "ViT-B32"])
def test_nothing_is_fetched_where_one_is_not_there(downloads, model):
    result = CliRunner().invoke(cli, ["fetch", "ViT-B-32,openai", model])
    assert result.exit_code == 1 and downloads == []
