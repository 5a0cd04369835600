"""The table of several models as text, Markdown, LaTeX, CSV and HTML."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from markupsafe import escape

from hnclip_cli.saying import printable

Report = dict[str, Any]

DIGITS = 1  # of percent
NOTHING = "–"

_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "±": r"$\pm$",
    "–": "--", "−": "$-$",
} | {letter: f"\\{letter}" for letter in "&%$#_{}"}  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run begins so

STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem; color-scheme: light dark }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .2rem .7rem; text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left }
thead th { border-bottom: 1px solid; text-align: right }
th.section { padding-top: .8rem; font-weight: 600; text-align: left }
tbody th { font-weight: 400 }
footer { margin-top: 1rem; opacity: .75 }
main { overflow-x: auto }
"""


class Cell(NamedTuple):
    """What a table shows of one model and one number, in percent."""

    value: str
    deviation: str = ""
    is_best: bool = False
    is_significant: bool = False


class Line(NamedTuple):
    """A row of cells under its name; without cells, a title of those below."""

    name: str
    cells: Sequence[Cell] = ()


def layout(report: Report, transpose: bool = False) -> tuple[list[str], list[Line]]:
    """The heads of the columns, and the lines: a number each, or with ``transpose`` a model."""
    models = [printable(model["name"]) for model in report["models"]]
    grid = [_cells(number["models"]) for number in report["numbers"]]
    if transpose:
        keys = [printable(number["key"]) for number in report["numbers"]]
        rows = zip(models, zip(*grid, strict=True), strict=True)
        return keys, [Line(name, cells) for name, cells in rows]
    lines: list[Line] = []
    section = None
    for number, cells in zip(report["numbers"], grid, strict=True):
        if number["section"] != section:
            section = number["section"]
            lines.append(Line(section))
        lines.append(Line(printable(number["name"]), cells))
    return models, lines


def _cells(models: Sequence[Report]) -> list[Cell]:
    """The best is marked, all of those that look like it, unless all look alike."""
    values = [_percent(model["mean"]) for model in models]
    means = [(model["mean"], value) for model, value in zip(models, values, strict=True)]
    best = max(((m, v) for m, v in means if m is not None), default=(0.0, ""))[1]
    are_alike = len({value for value in values if value != NOTHING}) < 2
    return [
        Cell(
            value,
            "" if model["deviation"] is None else _percent(model["deviation"]),
            value == best and not are_alike,
            model.get("is_significant", False),
        )
        for model, value in zip(models, values, strict=True)
    ]


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{100 * share:.{DIGITS}f}"


def notes(report: Report) -> Iterator[str]:
    """What the table's marks mean, and what it cannot say."""
    first, num_rounds = printable(report["models"][0]["name"]), report["bootstrap"]["rounds"]
    yield "Percent; the best of each number is bold. A tie of scores is wrong (strict >)."
    if any(len(model["runs"]) > 1 for model in report["models"]):
        yield "Mean over the runs of a model ± their sample standard deviation."
    if not report["is_paired"]:
        yield "Nothing is said of significance: reports carry no items, scored files do."
        if not report["same_items"]:
            yield "The reports are not of the same items, or do not say so (run.items)."
    elif num_rounds:
        yield (
            f"*: differs from {first}, p < 0.05 by {num_rounds} rounds of the paired bootstrap "
            "over image groups, after Holm's correction for the models beside it."
        )
    for missing in report.get("unpaired", []):
        yield f"{missing['records']} records of {printable(missing['file'])} are not in all files."


def format_text(report: Report, transpose: bool = False) -> str:
    """Aligned columns; a best value stands in brackets, as text has no bold."""
    heads, lines = layout(report, transpose)
    texts = [[_plain(cell) for cell in line.cells] for line in lines]
    first = max([len(line.name) + 2 for line in lines if line.cells])
    widths = [
        max(len(head), *(len(row[column]) for row in texts if row))
        for column, head in enumerate(heads)
    ]
    shown = [[" " * first, *heads]]
    shown += [
        [f"  {line.name}".ljust(first), *row] if row else [line.name]
        for line, row in zip(lines, texts, strict=True)
    ]
    aligned = [
        "  ".join([name, *(text.rjust(width) for text, width in zip(row, widths, strict=False))])
        for name, *row in shown
    ]
    said = (note.replace("is bold", "in brackets") for note in notes(report))
    return "\n".join([*(line.rstrip() for line in aligned), "", *said]) + "\n"


def _plain(cell: Cell) -> str:
    value = f"[{cell.value}]" if cell.is_best else f"{cell.value} "
    spread = f" ± {cell.deviation}" if cell.deviation else ""
    return f"{value.rstrip() if spread else value}{spread}" + ("*" if cell.is_significant else " ")


def format_markdown(report: Report, transpose: bool = False) -> str:
    """A table of GitHub's Markdown."""

    def shown(cell: Cell) -> str:
        value = f"**{cell.value}**" if cell.is_best else cell.value
        spread = f" ± {cell.deviation}" if cell.deviation else ""
        return value + spread + (r" \*" if cell.is_significant else "")

    def escaped(text: str) -> str:
        return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", text)

    heads, lines = layout(report, transpose)
    rows = [["", *map(escaped, heads)], ["---", *["---:"] * len(heads)]]
    for line in lines:
        if line.cells:
            rows.append([escaped(line.name), *map(shown, line.cells)])
        else:
            rows.append([f"**{escaped(line.name)}**", *[""] * len(heads)])
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return table + "".join(f"\n{escaped(note)}\n" for note in notes(report))


def latex(text: str) -> str:
    """A text as LaTeX sets it."""
    return "".join(_LATEX.get(letter, letter) for letter in text)


def format_latex(report: Report, transpose: bool = False) -> str:
    """A tabular with the rules of the package booktabs."""

    def shown(cell: Cell) -> str:
        value = latex(cell.value)
        value = rf"\textbf{{{value}}}" if cell.is_best else value
        spread = rf" $\pm$ {cell.deviation}" if cell.deviation else ""
        return value + spread + ("$^{*}$" if cell.is_significant else "")

    heads, lines = layout(report, transpose)
    rows = [" & ".join(["", *map(latex, heads)]) + r" \\", r"\midrule"]
    for line in lines:
        if line.cells:
            rows.append(" & ".join([latex(line.name), *map(shown, line.cells)]) + r" \\")
        else:
            title = rf"\emph{{{latex(line.name)}}}"
            rows.append(rf"\multicolumn{{{1 + len(heads)}}}{{l}}{{{title}}} \\")
    return "\n".join(
        [
            r"% \usepackage{booktabs}",
            *(f"% {note}" for note in notes(report)),
            rf"\begin{{tabular}}{{l{'r' * len(heads)}}}",
            r"\toprule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def format_csv(report: Report, transpose: bool = False) -> str:
    """Percent in full; then the deviations over runs and the corrected p-values."""

    def percent(share: float | None) -> str:
        return "" if share is None else repr(round(100 * share, 10))

    models, numbers = report["models"], report["numbers"]
    columns: list[list[str]] = [
        [title, *(str(number.get(title, "")) for number in numbers)]
        for title in ("key", "section", "name", "n")
    ]
    parts: list[tuple[str, str, Callable[[Any], str]]] = [
        ("", "mean", percent),
        (" deviation", "deviation", percent),
        (" p_holm", "p_holm", lambda p: "" if p is None else repr(p)),
    ]
    for title, part, show in parts:
        for place, model in enumerate(models):
            cells = [show(number["models"][place].get(part)) for number in numbers]
            if part == "mean" or any(cells):
                columns.append([f"{model['name']}{title}", *cells])
    out = io.StringIO()
    rows = columns if transpose else zip(*columns, strict=True)
    safe = ([f"'{text}" if text.startswith(_FORMULA) else text for text in row] for row in rows)
    csv.writer(out, lineterminator="\n").writerows(safe)
    return out.getvalue()


def format_html(report: Report, transpose: bool = False) -> str:
    """One page that needs nothing else."""

    def shown(cell: Cell) -> str:
        value = f"<b>{escape(cell.value)}</b>" if cell.is_best else str(escape(cell.value))
        spread = f" ± {escape(cell.deviation)}" if cell.deviation else ""
        return f"<td>{value}{spread}{'<sup>*</sup>' if cell.is_significant else ''}</td>"

    heads, lines = layout(report, transpose)
    rows = []
    for line in lines:
        if line.cells:
            rows.append(f'<tr><th scope="row">{escape(line.name)}</th>')
            rows.append("".join(map(shown, line.cells)) + "</tr>")
        else:
            span = 1 + len(heads)
            rows.append(f'<tr><th class="section" colspan="{span}">{escape(line.name)}</th></tr>')
    title = escape(" · ".join(printable(model["name"]) for model in report["models"]))
    columns = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    said = "".join(f"<p>{escape(note)}</p>" for note in notes(report))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n"
        f"<body><main><table><thead><tr><td></td>{columns}</tr></thead><tbody>\n"
        + "\n".join(rows)
        + f"\n</tbody></table></main><footer>{said}</footer></body></html>\n"
    )


LAYOUTS: dict[str, Callable[[Report, bool], str]] = {
    "table": format_text,
    "markdown": format_markdown,
    "latex": format_latex,
    "csv": format_csv,
    "html": format_html,
}
