"""What embed, score and train of one record cost, beside importing torch.

    python -m tests.bench.start_time [--rounds N]

Prints one JSON line: medians of processor seconds (user and system), alternated.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from tests.bench.help_time import milliseconds
from tests.bench.machine import describe
from tests.conftest import to_lines
from tests.factories import make_records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        one, run = folder / "one.jsonl", folder / "run"
        one.write_bytes(to_lines(*make_records(folder, 1)))
        hnclip = [sys.executable, "-m", "hnclip_cli"]
        train = [
            *hnclip, "train", "--model", "hnclip-tiny", "--steps", "1", "--batch-size", "1", "-q",
            "--overwrite", "-o", str(run), str(one),
        ]  # fmt: skip
        commands = {
            "import torch": [sys.executable, "-c", "import torch"],
            "train": train,
            "train --dry-run": [*train, "--dry-run"],
            "score": [*hnclip, "score", "-q", "--model", str(run), str(one)],
            "embed": [
                *hnclip, "embed", "-q", "--of", "image", "--model", str(run), str(one),
                "-o", str(folder / "i.npy"),
            ],
        }  # fmt: skip
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                times[name].append(milliseconds(command)[1] / 1000)
    medians = {name: statistics.median(found) for name, found in times.items()}
    figure = {
        "benchmark": "start_time",
        "processor_seconds": {name: round(took, 2) for name, took in medians.items()},
        "times_import_torch": {
            name: round(took / medians["import torch"], 2) for name, took in medians.items()
        },
        "rounds": rounds,
        "machine": describe(),
    }
    print(json.dumps(figure))


if __name__ == "__main__":
    main()
