"""Print the reports of several models beside each other, in percent.

python side_by_side.py MODEL MODEL…      reads MODEL.report.json from the working folder
"""

import json
import sys
from pathlib import Path

# What each kind of negative asks: which color belongs to which thing, or where things are.
MEASURES = {
    "attribute binding": ["swap-adjective", "swap-noun"],
    "relation": ["flip-relation", "swap-noun-phrase"],
    "replacement": ["replace-color", "replace-noun", "replace-size"],
}


def measure(report):
    """A dict of name -> percent."""
    kinds = report["by"]["kind"]
    rows = {}
    for name, members in MEASURES.items():
        found = [100 * kinds[kind]["pair"]["value"] for kind in members if kind in kinds]
        rows[name] = sum(found) / len(found)
        rows |= {
            f"  {kind}": 100 * kinds[kind]["pair"]["value"] for kind in members if kind in kinds
        }
    rows["mean of binding and relation"] = (rows["attribute binding"] + rows["relation"]) / 2
    for direction in ("image_to_text", "text_to_image"):
        for rank in ("R@1", "R@5"):
            name = f"retrieval {direction.replace('_', ' ')} {rank}"
            rows[name] = 100 * report["retrieval"][direction][rank]
    return rows


def main():
    models = sys.argv[1:]
    columns = [measure(json.loads(Path(f"{model}.report.json").read_text())) for model in models]
    print(f"\n{'held-out scenes, % right':<34}" + "".join(f"{model:>10}" for model in models))
    for name in columns[0]:
        print(f"{name:<34}" + "".join(f"{column[name]:>10.1f}" for column in columns))


if __name__ == "__main__":
    main()
