"""What docs/reliability.md says: each fault has its test, each bound and deadline its number."""

import csv
import importlib
import re

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "reliability.md").read_text()


def rows(title):
    section = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[1]
    table = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:1] == "|"]
    return table[2:]


def faults():
    with (ROOT / "tests" / "faults.tsv").open(encoding="utf-8", newline="") as file:
        return [row["test"] for row in csv.DictReader(file, delimiter="\t")]


@pytest.mark.parametrize("test", faults())
def test_each_fault_has_a_test(test):
    path, name = test.split("::")
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE)


@pytest.mark.parametrize(("of", "bound", "place"), rows("Bounds") + rows("Deadlines"))
def test_each_bound_is_what_the_code_says(of, bound, place):
    module, name = place.strip("`").split(":")
    package = "" if module.startswith("PIL") else "hnclip_cli."
    number = getattr(importlib.import_module(package + module), name)
    units = {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "s": 1}
    said, _, unit = bound.partition(" ")
    assert float(said.replace(",", "")) * units.get(unit, 1) == number
