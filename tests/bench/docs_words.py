"""How long the pages are, and how long their sentences.

python -m tests.bench.docs_words

Pages that are generated from the code are not counted. Prints one JSON line a page, and one of
all together: words, sentences, words of a sentence on average, the share of sentences of more than
30 words, and lines over 100 columns. Tables and code count as words, and not as sentences or lines.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GENERATED = {
    "benchmark_list.md",
    "cli.md",
    "fields.md",
    "functions.md",
    "kinds.md",
    "limits.md",
    "models.md",
    "objective_table.md",
    "rooms.md",
    "tables.md",
    "terms.md",
}
PAGES = [path for path in sorted((ROOT / "docs").glob("*.md")) if path.name not in GENERATED]
LONG_SENTENCE = 30
LONG_LINE = 100


def prose(text: str) -> Iterator[str]:
    """The lines outside of code and tables; an empty one where code or a table stands."""
    fenced = after_blank = False
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        code = fenced or line.startswith("```") or (line.startswith("    ") and after_blank)
        after_blank = not line.strip() or (code and line.startswith("    "))
        yield "" if code or line.lstrip().startswith(("|", "<!--")) else line


def sentences(text: str) -> list[str]:
    """Sentences of headings, paragraphs and entries of lists."""
    found = []
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.|#+) )", "\n".join(prose(text))):
        plain = re.sub(r"^\s*(?:[-*]|\d+\.|#+) ", "", re.sub(r"\]\([^)]*\)", "]", block))
        found += [part for part in re.split(r"[.!?:;]\s", plain) if part.strip()]
    return found


def long_lines(text: str) -> list[int]:
    """Numbers of the lines of prose over 100 columns."""
    return [number for number, line in enumerate(prose(text), 1) if len(line) > LONG_LINE]


def measure(texts: list[str]) -> dict[str, float]:
    lengths = [len(sentence.split()) for text in texts for sentence in sentences(text)]
    longer = sum(length > LONG_SENTENCE for length in lengths)
    return {
        "words": sum(len(text.split()) for text in texts),
        "sentences": len(lengths),
        "average": round(sum(lengths) / len(lengths), 1),
        "percent_over_30": round(100 * longer / len(lengths), 1),
        "long_lines": sum(len(long_lines(text)) for text in texts),
    }


def main() -> None:
    for path in PAGES:
        print(json.dumps({"page": path.name, **measure([path.read_text()])}))
    print(json.dumps({"page": "all", **measure([path.read_text() for path in PAGES])}))


if __name__ == "__main__":
    main()
