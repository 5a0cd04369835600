"""ce-clip against clip at equal wall-clock time, in the setting of the quickstart.

    python -m tests.bench.scenes [--seeds 3]

Runs examples/quickstart.sh once a seed and prints one JSON line: for attribute binding, relation,
their mean, replacement and retrieval the percentages of both, and the margin with a 95 % interval
from a paired bootstrap over the test scenes of each seed (both models score the same scenes), and
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
MODELS = ("clip", "ce-clip")
ROUNDS = 2000
STUDENT_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365}


def run_quickstart(seed: int, folder: Path) -> None:
    """The very script of the README, with this environment's hnclip."""
    hnclip = shutil.which("hnclip", path=str(Path(sys.executable).parent))
    environment = os.environ | {"SEED": str(seed), "HNCLIP": hnclip or "hnclip"}
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


def margin(counts: dict[str, dict[str, np.ndarray]], weights: np.ndarray) -> float:
    """ce-clip minus clip in the mean of binding and relation, in points."""
    means = []
    for model in MODELS:
        parts = []
        for name in ("attribute binding", "relation"):
            sums = [weights @ counts[model][kind] for kind in MEASURES[name]]
            parts.append(np.mean([right / pairs for right, pairs in sums]))
        means.append(100 * np.mean(parts))
    return float(means[1] - means[0])


def bootstrap(seeds: list[dict[str, dict[str, np.ndarray]]]) -> list[float]:
    rng = np.random.default_rng(0)
    means = []
    for _ in range(ROUNDS):
        drawn = []
        for counts in seeds:
            size = len(counts["clip"]["flip-relation"])
            drawn.append(margin(counts, rng.multinomial(size, np.full(size, 1 / size))))
        means.append(np.mean(drawn))
    return [round(float(value), 2) for value in np.percentile(means, [2.5, 97.5])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="keep the runs in this folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        base = (options.keep or Path(scratch)).resolve()
        rows, counts = [], []
        for seed in range(options.seeds):
            folder = base / f"seed-{seed}"
            run_quickstart(seed, folder)
            reports = {m: json.loads((folder / f"{m}.report.json").read_text()) for m in MODELS}
            rows.append({model: measure(report) for model, report in reports.items()})
            counts.append({model: outcomes(folder / f"{model}.scored.jsonl") for model in MODELS})
    table = {
        name.strip(): {
            model: round(float(np.mean([row[model][name] for row in rows])), 1) for model in MODELS
        }
        for name in rows[0]["clip"]
    }
    margins = [margin(c, np.ones(len(c["clip"]["flip-relation"]))) for c in counts]
    spread = STUDENT_95.get(len(margins), 2.0) * np.std(margins, ddof=1) / len(margins) ** 0.5
    mean = float(np.mean(margins))
    figure = {
        "benchmark": "scenes",
        "margin": round(mean, 2),
        "interval_over_scenes": bootstrap(counts),
        "interval_over_seeds": [round(mean - spread, 2), round(mean + spread, 2)],
        "margins": [round(value, 2) for value in margins],
        "means": table,
        "machine": describe(),
    }
    print(json.dumps(figure))


if __name__ == "__main__":
    main()
