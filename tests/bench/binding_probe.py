"""Which tower binds: what a linear classifier reads from the features of images and of captions.

    python -m tests.bench.binding_probe RECORDS.jsonl MODEL

RECORDS are drawn scenes (hnclip data scenes). Of those with two things side by side, a classifier
learns from three quarters to name the color and the shape of the left and of the right one; the
line says how many of the last quarter it gets right, in percent. Chance is 12.5.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import hnclip_cli as hnclip
from tests.bench.machine import describe

MOST = 8000
WEIGHT_DECAY = 1e-3


def side_by_side(records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Those of two things beside each other; the left one becomes the first."""
    for record in records:
        things = record["objects"]
        across, down = (abs(things[0][axis] - things[-1][axis]) for axis in "xy")
        if len(things) == 2 and across > 2 * down:
            yield record | {"objects": sorted(things, key=lambda thing: thing["x"])}


def percent_right(features: Tensor, names: list[str]) -> float:
    """Of the last quarter, by a softmax regression on the others; features of shape (N, D)."""
    classes = sorted(set(names))
    target = torch.tensor([classes.index(name) for name in names])
    features = (features - features.mean(0)) / features.std(0)
    weight = torch.zeros(features.shape[1], len(classes), requires_grad=True)
    bias = torch.zeros(len(classes), requires_grad=True)
    size = len(names) * 3 // 4
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=100)

    def loss() -> Tensor:
        optimizer.zero_grad()
        found = cross_entropy(features[:size] @ weight + bias, target[:size])
        found = found + WEIGHT_DECAY * weight.square().sum()
        found.backward()
        return found

    optimizer.step(loss)
    right = (features[size:] @ weight + bias).argmax(1) == target[size:]
    return round(100 * float(right.float().mean()), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", type=Path)
    parser.add_argument("model")
    args = parser.parse_args()
    lines = map(json.loads, args.records.open())
    records = list(islice(side_by_side(lines), MOST))
    clip = hnclip.load(args.model)
    figures = {}
    for tower in ("image", "caption"):
        rows = hnclip.embed(records, tower, model=clip, image_root=str(args.records.parent))
        for side, place in (("left", 0), ("right", -1)):
            for look in ("color", "shape"):
                names = [record["objects"][place][look] for record in records]
                figures[f"{tower}: {look} on the {side}"] = percent_right(torch.tensor(rows), names)
    size = {"records": len(records), "model": args.model}
    print(json.dumps({"benchmark": "binding_probe", **figures, **size, "machine": describe()}))


if __name__ == "__main__":
    main()
