"""One target under atheris: ``python -m tests.fuzz.libfuzzer TARGET``, then libFuzzer's flags."""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["hnclip_cli", "tarfile", "numpy.lib.format"]):
    from tests.fuzz.targets import TARGETS, check

target = TARGETS[sys.argv.pop(1)]
folder = Path(tempfile.mkdtemp())


def case(data: bytes) -> None:
    check(target, data, folder)


atheris.Setup(sys.argv, case)
atheris.Fuzz()
