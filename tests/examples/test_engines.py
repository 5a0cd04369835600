"""Other programs that divide the work: their output has the bytes of one process."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, environment, to_lines

CAPTIONS = to_lines(
    *({"id": str(n), "caption": f"a black cat on {n + 2} red beds"} for n in range(30))
)
MAKE = ["make", "-j", "2", "-f", str(ROOT / "examples/shards.mk"), "INPUT=in", "OUTPUT=out"]
SPARK = [
    "spark-submit", "--master", "local[2]", "--driver-memory", "512m",
    "--conf", "spark.ui.enabled=false", "--conf", "spark.driver.host=127.0.0.1",
    str(ROOT / "examples/spark_pipe.py"),
]  # fmt: skip
PARALLEL = ["parallel", "--pipe", "--keep-order", "--block", "1k", "-j", "2", "hnclip", "negatives"]


def run(folder, command, **options):
    path = f"{Path(sys.executable).parent}:{environment()['PATH']}"
    here = {"PATH": path, "SPARK_LOCAL_IP": "127.0.0.1"}
    return subprocess.run(
        command, cwd=folder, env=environment() | here, check=True, timeout=900,
        stdout=subprocess.PIPE, **options,
    ).stdout  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run(tmp_path_factory.mktemp("whole"), ["hnclip", "negatives"], input=CAPTIONS)


@pytest.mark.skipif(not shutil.which("make"), reason="make is absent: apt-get install make")
def test_make_joins_the_shards_and_makes_a_lost_part_alone(tmp_path, whole):
    (tmp_path / "in").write_bytes(CAPTIONS)
    run(tmp_path, MAKE)
    assert (tmp_path / "out").read_bytes() == whole
    kept = (tmp_path / "out.part-0").stat().st_mtime_ns
    (tmp_path / "out.part-1").unlink()
    (tmp_path / "out").unlink()
    run(tmp_path, [*MAKE, f"HNCLIP={sys.executable} -m hnclip_cli"])
    assert (tmp_path / "out").read_bytes() == whole
    assert (tmp_path / "out.part-0").stat().st_mtime_ns == kept


@pytest.mark.skipif(
    not shutil.which("parallel"), reason="GNU parallel is absent: apt-get install parallel"
)
def test_gnu_parallel_divides_a_stream(tmp_path, whole):
    assert run(tmp_path, PARALLEL, input=CAPTIONS) == whole


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("java"), reason="Java is absent: apt-get install default-jre")
def test_spark_gives_each_partition_to_a_pipe(tmp_path, whole):
    pytest.importorskip("pyspark", reason="pyspark is absent: pip install pyspark")
    (tmp_path / "in").write_bytes(CAPTIONS)
    run(tmp_path, [*SPARK, "in", "out"])
    parts = sorted((tmp_path / "out").glob("part-*"))
    assert len(parts) == 2
    assert b"".join(part.read_bytes() for part in parts) == whole
