"""Each fault that docs/limits.md lists has its test."""

import csv
import re

import pytest

from docs.generate_limits import FAULTS
from tests.conftest import ROOT


def faults():
    with FAULTS.open(encoding="utf-8", newline="") as file:
        return [row["test"] for row in csv.DictReader(file, delimiter="\t")]


@pytest.mark.parametrize("test", faults())
def test_each_fault_has_a_test(test):
    path, name = test.split("::")
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE)
