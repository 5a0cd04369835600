"""Write docs/functions.md: the functions of the Python API, from their docstrings.

python docs/generate_functions.py
"""

import inspect
import textwrap
from pathlib import Path

import hnclip_cli as hnclip

PAGE = Path(__file__).parent / "functions.md"
HEAD = """# Functions

*Reference.* The functions of the Python API and their options. [api.md](api.md) has examples.

`python docs/generate_functions.py` writes this page from the docstrings.
"""


def plain(parameter: inspect.Parameter) -> inspect.Parameter:
    """Without its type; a default that is a function is not shown."""
    default = parameter.default
    if default is not parameter.empty and callable(default):
        default = ...
    return parameter.replace(annotation=parameter.empty, default=default)


def call(name: str) -> str:
    signature = inspect.signature(getattr(hnclip, name))
    parameters = [plain(parameter) for parameter in signature.parameters.values()]
    shown = signature.replace(parameters=parameters, return_annotation=signature.empty)
    line = f"hnclip.{name}{shown}".replace("Ellipsis", "...")
    return textwrap.fill(line, 96, subsequent_indent="    ")


def section(name: str) -> str:
    said = inspect.getdoc(getattr(hnclip, name))
    return f"## {name}\n\n```text\n{call(name)}\n\n{said}\n```\n"


def render() -> str:
    """The whole page."""
    return "\n".join([HEAD, *map(section, hnclip.__all__)])


if __name__ == "__main__":
    PAGE.write_text(render())
