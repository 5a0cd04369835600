"""Write the table in README.md and the page docs/objective_table.md, from one file of figures.

python docs/generate_results.py [TABLE.json]

The figures are kept in tests/bench/objectives.json. TABLE.json, of a new run of
examples/compare_objectives.sh, replaces them first.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "tests" / "bench" / "objectives.json"
sys.path.insert(0, str(ROOT))

from examples.compare_objectives import cell_of, markdown, over_seeds  # noqa: E402

OURS, BASELINE = "hnclip", "clip"
AXES = ("swaps", "retrieval R@1")
RANKS = ("I→T R@1", "I→T R@5", "T→I R@1", "T→I R@5")
TIME = ("steps", "processor s")
MEASURES = ("swaps", "swaps, seen", "flips", "half-truths", *RANKS)
PAGE = ROOT / "docs" / "objective_table.md"
ABOUT = """\
# Objectives at equal time

*Reference, made by `docs/generate_results.py` from `tests/bench/objectives.json`.*
[results.md](results.md#objectives-at-equal-time) says how it was measured. In percent right: the
mean over {seeds} seeds, with its 95 % interval by Student's t. The last columns say what `{ours}`
has above each, seed by seed.

"""
Objectives = dict[str, dict[str, list[float]]]  # of each objective and measure, a value a seed


def mean_of(values: list[float]) -> str:
    return cell_of(over_seeds(values), 1)


def gained(objectives: Objectives, name: str, measure: str) -> str:
    """What ours has above another objective, seed by seed: +22.6 ± 3.1."""
    ours, others = (objectives[which][measure] for which in (OURS, name))
    cell = over_seeds([a - b for a, b in zip(ours, others, strict=True)])
    return f"{'+' if cell['mean'] >= 0 else ''}{cell_of(cell, 1)}"


def short_table(objectives: Objectives) -> str:
    """Ours against the baseline, a row for each measure."""
    lines = [["% right", f"`{BASELINE}`", f"`{OURS}`", "difference"]]
    for measure in MEASURES:
        cells = [mean_of(objectives[name][measure]) for name in (BASELINE, OURS)]
        lines.append([measure, *cells, gained(objectives, BASELINE, measure)])
    return markdown(lines)


def long_table(objectives: Objectives) -> str:
    """A row for each objective; the last columns say what ours has above it."""
    lines = [["% right", *MEASURES, *TIME, *(f"`{OURS}`: {axis}" for axis in AXES)]]
    for name, row in objectives.items():
        above = ["", ""]
        if name != OURS:
            above = [gained(objectives, name, axis) for axis in AXES]
        measured = [mean_of(row[measure]) for measure in MEASURES]
        time = [cell_of(over_seeds(row[measure]), 0) for measure in TIME]
        lines.append([f"`{name}`", *measured, *time, *above])
    return markdown(lines)


def pages() -> dict[Path, str]:
    """Each page as it should be; in README.md the table stands between two marks."""
    objectives = json.loads(FIGURES.read_text())
    about = ABOUT.format(ours=OURS, seeds=len(objectives[OURS]["swaps"]))
    readme = ROOT / "README.md"
    before, rest = readme.read_text().split("<!-- objectives -->\n")
    after = rest.partition("<!-- end -->")[2]
    return {
        readme: f"{before}<!-- objectives -->\n{short_table(objectives)}\n<!-- end -->{after}",
        PAGE: f"{about}{long_table(objectives)}\n",
    }


def keep(table: Path) -> None:
    """The values of a new run become the kept ones."""
    found = {
        name: {m: [round(v, 2) for v in row[m]["values"]] for m in (*MEASURES, AXES[1], *TIME)}
        for name, row in json.loads(table.read_text())["objectives"].items()
    }
    lines = ",\n".join(f"{json.dumps(n)}: {json.dumps(row)}" for n, row in found.items())
    FIGURES.write_text(f"{{{lines}}}\n")


if __name__ == "__main__":
    for given in sys.argv[1:]:
        keep(Path(given))
    for path, text in pages().items():
        path.write_text(text)
