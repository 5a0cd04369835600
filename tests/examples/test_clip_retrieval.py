"""The folder that clip-retrieval and autofaiss read."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hnclip_cli.streams.npy import as_rows
from tests.conftest import ROOT, run_hnclip, to_lines
from tests.examples.test_engines import run

parquet = pytest.importorskip("pyarrow.parquet")
SCRIPT = str(ROOT / "examples/clip_retrieval.py")


def test_parts_are_the_rows_of_one_run(tmp_path, tiny_run):
    records = [{"image": f"{n}.png", "caption": f"{n} cats", "id": f"r{n}"} for n in range(5)]
    for n, record in enumerate(records):
        Image.new("RGB", (32, 32), (n * 50, 0, 0)).save(tmp_path / record["image"])
    (tmp_path / "in.jsonl").write_bytes(to_lines(*records))
    for part in ("0/2", "1/2"):
        run(tmp_path, [sys.executable, SCRIPT, "in.jsonl", "out", part, "--model", tiny_run])
    out = tmp_path / "out"
    found = sorted(str(path.relative_to(out)) for path in out.rglob("*.*"))
    assert found == [
        f"{name}/{name}_{n}.{ending}"
        for name, ending in (("img_emb", "npy"), ("metadata", "parquet"), ("text_emb", "npy"))
        for n in (0, 1)
    ]
    table = [row for path in sorted(out.glob("metadata/*")) for row in _rows(path)]
    assert table == [
        {"image_path": r["image"], "caption": r["caption"], "id": r["id"]} for r in records
    ]
    whole = tmp_path / "whole.npy"
    done = run_hnclip("embed", "--of", "image", "--model", tiny_run, "in.jsonl", "-o", whole,
                      cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert np.allclose(as_rows(str(out / "img_emb"), "").read(0, 5), np.load(whole), atol=1e-6)


def _rows(path: Path):
    return parquet.read_table(path).to_pylist()
