"""Write docs/rooms.md: what each room of the package is for, and what it imports; a test compares.

python docs/generate_map.py
"""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "hnclip_cli"
PAGE = Path(__file__).parent / "rooms.md"
HEAD = """# Rooms of the code

*Background.* What each part of `hnclip_cli/` is for, and which parts it imports.
[developing.md](developing.md) says where you add what.

`python docs/generate_map.py` writes this page from the code.
"""
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


def purpose(room: str) -> str:
    """The first line of a room's docstring."""
    path = PACKAGE / room
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0]


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
    """The whole page."""
    rooms = sorted({room_of(path) for path in modules()})
    rows = [f"| `{room}` | {purpose(room)} |" for room in rooms if purpose(room)]
    lines = [f"    {room}[{title}]" for room, title in TITLES.items()]
    lines += [f"    {room} --> {other}" for room, other in arrows()]
    table = "\n".join(["| | |", "|---|---|", *rows])
    said = "An arrow leads to what is imported. Arrows that follow from others are left out."
    chart = "\n".join(["```mermaid", "flowchart TD", *lines, "```"])
    return "\n".join([HEAD, table, "", said, "", chart, ""])


if __name__ == "__main__":
    PAGE.write_text(render())
