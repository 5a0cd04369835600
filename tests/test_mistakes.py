"""Mistakes that can be told without torch are told in one line before it is imported."""

import socket
import sys

import pytest
from huggingface_hub import constants

from hnclip_cli import known
from hnclip_cli.errors import HnclipError
from hnclip_cli.training.run_folder import RUN_NAME
from tests.conftest import to_lines
from tests.factories import make_records
from tests.test_imports import run

TRAIN = ["train", "--steps", "1", "--batch-size", "4", "-o", "run"]
TINY = [*TRAIN, "--model", "hnclip-tiny"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    records = make_records(tmp_path)
    (tmp_path / "r.jsonl").write_bytes(to_lines(*records))
    (tmp_path / "few.jsonl").write_bytes(to_lines(*records[:2]))
    bare = [{name: record[name] for name in ("image", "caption")} for record in records]
    (tmp_path / "bare.jsonl").write_bytes(to_lines(*bare))
    (tmp_path / "lost.jsonl").write_bytes(to_lines(records[0] | {"image": "lost.png"}))
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / RUN_NAME).write_text("{}")
    (tmp_path / "images").mkdir()


CASES = {
    "model": ([*TRAIN, "--model", "ViT-B32", "r.jsonl"], "no model 'ViT-B32'", "try ViT-B-32"),
    "tag": ([*TRAIN, "--model", "ViT-B-32", "--pretrained", "opnai", "r.jsonl"],
            "no tag 'opnai' of ViT-B-32", "try openai"),
    "weights": ([*TRAIN, "--model", "ViT-B-32", "--pretrained", "w.pt", "r.jsonl"],
                "w.pt: no such file of weights", ""),
    "model folder": ([*TRAIN, "--model", "./dune", "r.jsonl"], "no such folder", "try done"),
    "device": ([*TINY, "--device", "cuda", "r.jsonl"], "device cuda is not there", "--device cpu"),
    "auto size": ([*TINY, "--micro-batch", "auto", "r.jsonl"], "auto sizes need a CUDA", ""),
    "input": ([*TINY, "s.jsonl"], "s.jsonl: cannot read it", "try r.jsonl"),
    "input is a folder": ([*TINY, "images"], "images: a folder, not a file of records", ""),
    "input is an image": ([*TINY, "0.png"], "0.png: an image, not a file of records", ""),
    "image": ([*TINY, "lost.jsonl"], "lost.jsonl:1: image not found", "--image-root"),
    "image folder": ([*TINY, "--image-root", "imags", "r.jsonl"], "imags: no such folder",
                     "try images"),
    "validation": ([*TINY, "--val", "lost.jsonl", "r.jsonl"], "lost.jsonl:1: image not found", ""),
    "no validation": ([*TINY, "--val", "val.jsonl", "r.jsonl"], "val.jsonl: cannot read it", ""),
    "negatives": ([*TINY, "bare.jsonl"], "no record has negatives", "hnclip negatives"),
    "units": ([*TINY, "--objective", "cs-clip", "r.jsonl"], "no record has units", "--units"),
    "batch": ([*TINY, "few.jsonl"], "too few records for one batch", "--batch-size 2"),
    "objective": ([*TINY, "--objective", "ceclip", "r.jsonl"], "got 'ceclip', expected one of",
                  "try ce-clip"),
    "setting": ([*TINY, "--set", "lora-rank", "1", "r.jsonl"], "got 'lora-rank', expected one of",
                "try lora_rank"),
    "finished run": (["train", "--steps", "1", "--model", "hnclip-tiny", "-o", "done", "r.jsonl"],
                     "done: the folder holds a model", "--overwrite"),
    "embed an image": (["embed", "--of", "image", "--model", "done", "--image-root", "imags",
                        "r.jsonl"], "imags: no such folder", "try images"),
    "embed": (["embed", "--of", "image", "--model", "rn/", "r.jsonl", "-o", "i.npy"],
              "rn: no such folder", ""),
    "embed of": (["embed", "--of", "caption", "--model", "done", "s.jsonl", "-o", "i.npy"],
                 "s.jsonl: cannot read it", "try r.jsonl"),
    "score": (["score", "--model", "ViT-B-32", "--pretrained", "openia", "r.jsonl"],
              "no tag 'openia'", "try openai"),
    "score of": (["score", "--model", "done", "s.jsonl"], "s.jsonl: cannot read it", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_found_before_torch_is_imported(folder, case):
    arguments, said, hint = CASES[case]
    done = run(*arguments)
    *lines, modules = done.stderr.splitlines()
    assert done.returncode in (1, 2) and done.stdout == ""
    assert said in lines[-1] and hint in lines[-1]
    assert {"torch", "open_clip"} & set(modules.split()) == set()


def test_names_and_tags_are_those_of_open_clip():
    import open_clip

    loaded = sys.modules.pop("open_clip")
    known._pretrained.cache_clear()
    try:
        names, tags = known.model_names(), known.tags_of("ViT-B-16-SigLIP")
    finally:
        sys.modules["open_clip"] = loaded
        known._pretrained.cache_clear()
    assert [name for name in names if not name.startswith(known.OWN)] == sorted(
        name for name in open_clip.list_models() if not name.startswith(known.OWN)
    )
    assert tags == known.tags_of("ViT-B-16-SigLIP")
    assert tags["webli"] == open_clip.get_pretrained_cfg("ViT-B-16-SigLIP", "webli")


def test_what_a_name_is_written_like_does_not_matter_for_tags(tmp_path, monkeypatch):
    known.check_model("ViT-B-32", "laion2b-s34b-b79k")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.pt").touch()
    known.check_model("ViT-B-32", "w.pt")


@pytest.mark.parametrize(
    ("visible", "nodes", "count"),
    [("", ["nvidia0"], 0), ("-1", ["nvidia0"], 0), ("0", [], 0), ("0", ["nvidia0"], None)],
)
def test_without_nodes_of_a_driver_there_is_no_gpu(monkeypatch, visible, nodes, count):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(known, "version", lambda package: "2.9.0")
    monkeypatch.setattr(known, "glob", lambda pattern: nodes if "nvidia[" in pattern else [])
    assert known.num_gpus() == count


@pytest.fixture
def no_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(known, "REACH_SECONDS", 0.2)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", [("ViT-B-32", "openai"), ("hf-hub:a/b", None)])
def test_weights_that_nobody_can_fetch_are_named_at_once(no_cache, monkeypatch, name):
    hint = f"try hnclip fetch {','.join(filter(None, name))} where there is a network"
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it never answers
        port = silent.getsockname()[1]
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
        with pytest.raises(HnclipError, match=rf"\(no answer from http.*; {hint}"):
            known.check_weights(*name)
    with pytest.raises(HnclipError, match="no answer from"):  # it refuses
        known.check_weights(*name)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HnclipError, match="HF_HUB_OFFLINE is set"):
        known.check_weights(*name)


def test_weights_that_are_there_or_can_be_fetched_are_no_mistake(no_cache, tmp_path, monkeypatch):
    (tmp_path / "w.pt").touch()
    for name, tag in (("ViT-B-32", str(tmp_path / "w.pt")), ("ViT-B-32", None), ("run", None)):
        known.check_weights(name, tag)
    monkeypatch.setattr(known, "_answers", lambda place: place == constants.ENDPOINT)
    known.check_weights("ViT-B-32", "openai")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository = known.tags_of("ViT-B-32")["openai"]["hf_hub"].rstrip("/").replace("/", "--")
    folder = tmp_path / "hub" / f"models--{repository}" / "snapshots" / "0"
    folder.mkdir(parents=True)
    (folder / "open_clip_model.safetensors").touch()
    known.check_weights("ViT-B-32", "openai")
