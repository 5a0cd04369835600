"""Draw the map of the rooms in docs/developing.md from what they import; a test compares.

python docs/generate_map.py
"""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "hnclip_cli"
PAGE = Path(__file__).parent / "developing.md"
START, END = "```mermaid\n", "```\n"
# These are one room on the map.
TOGETHER = {
    name: "commands"
    for name in ("__main__", "arguments", "cli", "console", "helping", "lazy", "options")
}
TITLES = {"__init__": "Python API", "commands": "command line"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Every (module, name) imported anywhere in a file, in functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path}: relative import"
            yield from ((node.module, alias.name) for alias in node.names)


def needs() -> dict[str, set[str]]:
    """For each room those that it imports."""
    rooms = {room_of(path) for path in modules()}
    found: dict[str, set[str]] = {TOGETHER.get(room, room): set() for room in rooms}
    for path in modules():
        room = TOGETHER.get(room_of(path), room_of(path))
        for module, name in imports(path):
            top, _, rest = module.partition(".")
            if top == "hnclip_cli" and (target := (rest or name).partition(".")[0]) in rooms:
                found[room].add(TOGETHER.get(target, target))
        found[room].discard(room)
    return found


def arrows() -> list[tuple[str, str]]:
    """The imports that do not follow from others: what is reached by a longer way has no arrow."""
    direct = needs()

    def reached(room: str) -> set[str]:
        return direct[room].union(*map(reached, direct[room]))

    return [
        (room, other)
        for room in sorted(direct)
        for other in sorted(direct[room] - set().union(*map(reached, direct[room])))
    ]


def render() -> str:
    """The page with the map as it should be."""
    head, _, rest = PAGE.read_text().partition(START)
    _, _, tail = rest.partition(END)
    lines = [f"    {room}[{title}]\n" for room, title in TITLES.items()]
    lines += [f"    {room} --> {other}\n" for room, other in arrows()]
    return "".join([head, START, "flowchart TD\n", *lines, END, tail])


if __name__ == "__main__":
    PAGE.write_text(render())
