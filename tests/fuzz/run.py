"""Fuzz the readers, each for ten minutes: by atheris where it is installed, else by hypothesis.

    python -m tests.fuzz.run                          all targets, one after the other
    python -m tests.fuzz.run tar npy --minutes 1      some of them
    python -m tests.fuzz.run --by hypothesis          without atheris

Prints a JSON line a target: how many cases ran, how long, and the fault that ended it, if any.
Bytes that led to a fault are kept as fuzz-TARGET-…; fewer than --cases is a failure.
"""

import argparse
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    from tests.fuzz.targets import TARGETS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", default=list(TARGETS), metavar="TARGET")
    parser.add_argument("--minutes", type=float, default=10, help="for each target")
    parser.add_argument("--cases", type=int, default=20_000, help="that a target must reach")
    parser.add_argument("--by", choices=["atheris", "hypothesis"])
    given = parser.parse_args()
    by = given.by or ("atheris" if importlib.util.find_spec("atheris") else "hypothesis")
    failed = False
    for name in given.targets:
        started = time.monotonic()
        cases, fault = (_by_atheris if by == "atheris" else _by_hypothesis)(name, given.minutes)
        seconds = round(time.monotonic() - started)
        result = {"target": name, "by": by, "cases": cases, "seconds": seconds, "fault": fault}
        print(json.dumps(result), flush=True)
        failed |= bool(fault) or cases < given.cases
    sys.exit(failed)


def _by_atheris(name: str, minutes: float) -> tuple[int, str]:
    """In a process of its own, which libFuzzer ends."""
    from tests.fuzz.targets import TARGETS

    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(TARGETS[name].seeds):
            (corpus / str(number)).write_bytes(seed)
        words = [
            '"' + "".join(f"\\x{byte:02x}" for byte in word[:64]) + '"\n'
            for word in TARGETS[name].words
        ]
        (Path(folder) / "words").write_text("".join(words))
        done = subprocess.run(
            [
                sys.executable, "-m", "tests.fuzz.libfuzzer", name,
                f"-max_total_time={60 * minutes:.0f}", f"-dict={folder}/words",
                "-max_len=16384", "-timeout=60", "-rss_limit_mb=4096",
                f"-artifact_prefix=fuzz-{name}-", str(corpus),
            ],
            capture_output=True,
            text=True,
            errors="replace",
        )  # fmt: skip
    cases = [int(count) for count in re.findall(r"^#(\d+)", done.stderr, re.MULTILINE)]
    fault = "" if done.returncode == 0 else done.stderr[-2000:] + done.stdout[-2000:]
    return max(cases, default=0), fault


def _by_hypothesis(name: str, minutes: float) -> tuple[int, str]:
    from hypothesis import HealthCheck, given, settings

    from tests.fuzz.mutations import nearly
    from tests.fuzz.targets import TARGETS, check

    target, folder = TARGETS[name], Path(tempfile.mkdtemp())
    cases, end = 0, time.monotonic() + 60 * minutes

    @settings(max_examples=2_000, database=None, deadline=None, derandomize=False,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(nearly(target))
    def batch(data: bytes) -> None:
        nonlocal cases
        cases += 1
        try:
            check(target, data, folder)
        except BaseException:
            Path(f"fuzz-{name}-fault").write_bytes(data)
            raise

    try:
        while time.monotonic() < end:
            batch()
    except Exception as error:
        return cases, f"{type(error).__name__}: {error}"[:2000]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return cases, ""


if __name__ == "__main__":
    main()
