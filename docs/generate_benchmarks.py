"""Write docs/benchmark_list.md: of each benchmark its files, its images and its official numbers.

python docs/generate_benchmarks.py
"""

import textwrap
from pathlib import Path

from hnclip_cli.benchmarks import BENCHMARKS, Metric
from hnclip_cli.sources.benchmarks.layout import where

PAGE = Path(__file__).parent / "benchmark_list.md"
HEAD = """# Every benchmark

*Reference.* What each benchmark needs, and the official numbers that `hnclip eval` computes.
How you use them: [benchmarks.md](benchmarks.md). What a metric means: [metrics.md](metrics.md).
`python docs/generate_benchmarks.py` writes this page.

- `DIR` is your folder for all benchmarks. hnclip downloads nothing.
- *Items* is the number of records from complete official files, where somebody published it.
- In the names of numbers, N is the number of parts that are there, and PART is the name of a part.
- *vl_compo* marks what [`comp_avg`](metrics.md#vl_compos-mean-of-twelve) takes.
"""


def section(name: str) -> str:
    """A heading and the facts."""
    benchmark, facts = BENCHMARKS[name], where(name)
    lines = []
    for title in ("files", "images"):
        part = facts[title]
        source = f" <{part['url']}>" if part["url"].startswith("http") else ""
        lines.append(f"{title} in `DIR/{part['into']}/`: {part['what']}{source}")
    if benchmark.items:
        lines.append(f"items: {benchmark.items:,}")
    lines.append(f"measured: {benchmark.metric}; {benchmark.aggregation}")
    lines.append(f"numbers: {'; '.join(dict.fromkeys(map(number, benchmark.official)))}")
    return "\n".join([f"## {name}", "", *map(wrapped, lines)]) + "\n"


def wrapped(line: str) -> str:
    """An entry of a list, in lines of at most 96 characters where no word is longer."""
    return textwrap.fill(
        line, 96, initial_indent="- ", subsequent_indent="  ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def number(metric: Metric) -> str:
    """Its name in a report."""
    name = metric.name.replace("{}", "PART" if metric.each else "N")
    return f"`{name}`" + (" (*vl_compo*)" if metric.vl_compo else "")


def render() -> str:
    """The whole page."""
    return "\n".join([HEAD, *map(section, BENCHMARKS)])


if __name__ == "__main__":
    PAGE.write_text(render())
