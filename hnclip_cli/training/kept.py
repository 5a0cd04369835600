"""Models of a run that are kept beside the last one: of earlier checkpoints, and the best."""

import json
import os
import re
import shutil
from collections.abc import Mapping
from typing import Any

from hnclip_cli.streams.outputs import atomic_output, naming
from hnclip_cli.training.run_folder import STATE_NAME

CHECKPOINTS, BEST = "checkpoints", "best"
BEST_NAME = "hnclip_best.json"
_STEP = re.compile(r"step-(\d{9,})")
# What a validation found that models are compared by, the first of these that it has.
MEASURES = (
    ("accuracy", "pair"), ("matching", "group"), ("retrieval", "image_to_text", "R@1"),
)  # fmt: skip


def keep(folder: str, step: int, count: int) -> None:
    """Keep the model in a run's folder as that of a step, and no more than so many of them.

    Raises:
        HnclipError: the folder cannot be written.
    """
    kept = os.path.join(folder, CHECKPOINTS)
    with naming(kept):
        _copy(folder, os.path.join(kept, f"step-{step:09d}"))
        steps = [int(match[1]) for match in map(_STEP.fullmatch, os.listdir(kept)) if match]
        for old in sorted(steps)[:-count]:
            shutil.rmtree(os.path.join(kept, f"step-{old:09d}"))


def keep_best(folder: str, step: int, report: Mapping[str, Any]) -> None:
    """Keep the model in a run's folder where no kept one has validated better.

    Raises:
        HnclipError: the folder cannot be written.
    """
    best = os.path.join(folder, BEST)
    name, value = measure_of(report)
    if value is None or value <= _value_of(best, name):
        return
    with naming(best):
        _copy(folder, best)
    with atomic_output(os.path.join(best, BEST_NAME), follow_links=False) as stream:
        found = {"step": step, "measure": name, "value": value}
        stream.write(json.dumps(found, indent=2).encode() + b"\n")


def measure_of(report: Mapping[str, Any]) -> tuple[str, float | None]:
    """The first of `MEASURES` in a report, and its value; None for none."""
    for path in MEASURES:
        value: Any = report
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if isinstance(value, (int, float)):
            return ".".join(path), float(value)
    return "", None


def forget(folder: str) -> None:
    """Remove what another run has kept in a folder that is written over."""
    for name in (CHECKPOINTS, BEST):
        path = os.path.join(folder, name)
        if os.path.isdir(path) and not os.path.islink(path):
            with naming(path):
                shutil.rmtree(path)


def _value_of(best: str, measure: str) -> float:
    """What the kept model has reached; of another measure or none, less than anything."""
    try:
        with open(os.path.join(best, BEST_NAME), "rb") as stream:
            found = json.load(stream)
        return float(found["value"]) if found["measure"] == measure else float("-inf")
    except (OSError, ValueError, KeyError, TypeError):
        return float("-inf")


def _copy(folder: str, target: str) -> None:
    """Give the files of a model a second folder, which appears whole.

    Files are linked, as a checkpoint replaces them and does not write into them; where a file
    system has no links they are copied.
    """
    making = f"{target}.new"
    shutil.rmtree(making, ignore_errors=True)
    os.makedirs(making)
    with os.scandir(folder) as entries:
        for entry in entries:
            is_ours = entry.is_file(follow_symlinks=False) and not entry.name.startswith(".")
            if is_ours and entry.name != STATE_NAME:
                _link(entry.path, os.path.join(making, entry.name))
    shutil.rmtree(target, ignore_errors=True)
    os.rename(making, target)


def _link(path: str, target: str) -> None:
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)
