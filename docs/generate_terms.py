"""Write docs/terms.md: the loss of each objective, and its terms, from their docstrings.

python docs/generate_terms.py
"""

import inspect
from collections.abc import Iterator
from pathlib import Path

from hnclip_cli.plugins import import_from
from hnclip_cli.training import objectives
from hnclip_cli.training.objectives.table import TERMS, Term

PAGE = Path(__file__).parent / "terms.md"
HEAD = """# Losses and terms

*Reference.* What each objective minimizes. [methods.md](methods.md) says whose it is.

`python docs/generate_terms.py` writes this page from the code.

- s is the logit scale, b the bias, B the number of pairs. "[…]" lists the candidates of a
  softmax; the true one stands behind it.
- A is an anchor, P its positive, N its negatives, O the others. I is an image, T its caption.
- From the side of the captions, A is I, P is T, N are negative captions, and O negative images.
  From the side of the images, A is T, P is I, and N are negative images.
- Texts and images are unit vectors. Empty slots are masked, and so are negatives with the tokens
  of their caption. A term averages over the rows that have its inputs, and is 0 without any.

## Losses

| `--objective` | idea | loss |
|---|---|---|
"""


def loss(objective: objectives.Objective) -> str:
    """The sum of its terms; a weight that changes is described in words."""
    parts = []
    for name, weight in objectives.weights_of(objective).items():
        if callable(weight):
            parts.append(f"w·{name} ({weight.__doc__.rstrip('.')})")
        elif weight:
            parts.append(name if weight == 1 else f"{weight:.3g}·{name}")
    return " + ".join(parts) or "[see there](methods.md#clap)"


def used(name: str, term: Term) -> str:
    """How a term calls its function."""
    settings = [f"`{key}={value!r}`" for key, value in term.function.keywords.items()]
    settings += ["from the side of the images"] if term.of_images else []
    settings += [f"left out of batches with {source} texts" for source in sorted(term.without)]
    return f"- `{name}`" + (f": {', '.join(settings)}" if settings else "")


def sections() -> Iterator[str]:
    """A function, the terms that it computes, and its docstring."""
    places = {name: term.function.args[0] for name, term in TERMS.items()}
    for place in dict.fromkeys(places.values()):
        terms = [used(name, TERMS[name]) for name in TERMS if places[name] == place]
        said = inspect.getdoc(import_from(f"{objectives.__name__}.{place}"))
        title = place.partition(":")[2]
        yield f"## {title}\n\n" + "\n".join(terms) + f"\n\n```text\n{said}\n```\n"


def render() -> str:
    """The whole page."""
    built_in, ideas = objectives.OBJECTIVES.built_in, objectives.IDEAS
    rows = [f"| `{name}` | {ideas[name]} | {loss(one)} |" for name, one in built_in.items()]
    return "\n".join([HEAD + "\n".join(rows) + "\n", *sections()])


if __name__ == "__main__":
    PAGE.write_text(render())
