"""Objectives with negatives against clip at equal wall-clock time, in the quickstart's setting.

    python -m tests.bench.scenes [--seeds 3] [--objectives clip ce-clip negclip] [--seconds 95]

Runs examples/quickstart.sh once a seed and prints one JSON line: for attribute binding, relation,
their mean, replacement and retrieval the percentages of each objective (mean, and 95 % interval of
it over seeds), and each margin over clip in the mean of binding and relation: with a 95 % interval
from a paired bootstrap over the test scenes of each seed (the models score the same scenes), and
one over seeds (Student's t).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from examples.side_by_side import MEASURES, measure
from tests.bench.machine import describe

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 2000
STUDENT_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365}


def run_quickstart(seed: int, objectives: list[str], seconds: int, folder: Path) -> None:
    """The very script of the README, with this environment's hnclip."""
    hnclip = shutil.which("hnclip", path=str(Path(sys.executable).parent))
    environment = os.environ | {
        "SEED": str(seed),
        "HNCLIP": hnclip or "hnclip",
        "OBJECTIVES": " ".join(objectives),
        "SECONDS_EACH": str(seconds),
    }
    subprocess.run(
        ["bash", str(ROOT / "examples" / "quickstart.sh"), str(folder)],
        env=environment,
        stdout=sys.stderr,
        check=True,
    )


def outcomes(path: Path) -> dict[str, np.ndarray]:
    """For each kind, an array (scenes, 2): pairs that are right, and pairs."""
    with open(path) as stream:
        records = [json.loads(line) for line in stream]
    counts = {kind: np.zeros((len(records), 2)) for kinds in MEASURES.values() for kind in kinds}
    for row, record in enumerate(records):
        true, *others = record["scores"][0]
        for negative, score in zip(record["negatives"], others, strict=True):
            if negative["kind"] in counts:
                counts[negative["kind"]][row] += (true > score, 1)
    return counts


def margin(counts: dict[str, dict[str, np.ndarray]], model: str, weights: np.ndarray) -> float:
    """The model minus clip in the mean of binding and relation, in points."""
    means = []
    for name in ("clip", model):
        parts = []
        for measure_name in ("attribute binding", "relation"):
            sums = [weights @ counts[name][kind] for kind in MEASURES[measure_name]]
            parts.append(np.mean([right / pairs for right, pairs in sums]))
        means.append(100 * np.mean(parts))
    return float(means[1] - means[0])


def bootstrap(seeds: list[dict[str, dict[str, np.ndarray]]], model: str) -> list[float]:
    """95 % interval of the mean margin over the drawing of scenes."""
    rng = np.random.default_rng(0)
    means = []
    for _ in range(ROUNDS):
        drawn = []
        for counts in seeds:
            size = len(counts["clip"]["flip-relation"])
            weights = rng.multinomial(size, np.full(size, 1 / size))
            drawn.append(margin(counts, model, weights))
        means.append(np.mean(drawn))
    return [round(float(value), 2) for value in np.percentile(means, [2.5, 97.5])]


def over_seeds(values: list[float]) -> dict[str, object]:
    """Mean, and its 95 % interval by Student's t."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return {"mean": round(mean, 1)}
    spread = STUDENT_95[len(values)] * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return {"mean": round(mean, 1), "interval": [round(mean - spread, 1), round(mean + spread, 1)]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, choices=range(1, 9))
    parser.add_argument("--objectives", nargs="+", default=["clip", "ce-clip"])
    parser.add_argument("--seconds", type=int, default=95, help="for each objective")
    parser.add_argument("--keep", type=Path, help="keep the runs in this folder")
    options = parser.parse_args()
    models: list[str] = options.objectives
    rows, counts = [], []
    with tempfile.TemporaryDirectory() as scratch:
        base = (options.keep or Path(scratch)).resolve()
        for seed in range(options.seeds):
            folder = base / f"seed-{seed}"
            run_quickstart(seed, models, options.seconds, folder)
            reports = {m: json.loads((folder / f"{m}.report.json").read_text()) for m in models}
            rows.append({model: measure(report) for model, report in reports.items()})
            counts.append({model: outcomes(folder / f"{model}.scored.jsonl") for model in models})
    margins = {}
    for model in models:
        if model != "clip":
            own = [margin(c, model, np.ones(len(c["clip"]["flip-relation"]))) for c in counts]
            margins[model] = over_seeds(own) | {
                "by_seed": [round(value, 1) for value in own],
                "interval_over_scenes": bootstrap(counts, model),
            }
    figure = {
        "benchmark": "scenes",
        "margin_over_clip": margins,
        "percent": {
            name.strip(): {
                model: over_seeds([row[model][name] for row in rows]) for model in models
            }
            for name in rows[0]["clip"]
        },
        "seconds_each": options.seconds,
        "machine": describe(),
    }
    print(json.dumps(figure))


if __name__ == "__main__":
    main()
