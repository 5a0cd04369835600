"""The import direction of the rooms, read from the source."""

import ast

import pytest

from docs.generate_map import PACKAGE, PAGE, imports, modules, render, room_of

ROOMS = ["sources", "negatives", "embedding", "training", "scoring", "evaluation"]

BELOW = [
    "saying",
    "errors",
    "known",
    "plugins",
    "streams",
    "lexicon",
    "language",
    "models",
    "benchmarks",
]

# What a module may import of hnclip_cli, by the room it lies in.
ALLOWED = {
    "saying": [],
    "errors": ["saying"],
    "plugins": ["saying", "errors"],
    "streams": ["saying", "errors", "streams"],
    "lexicon": ["errors", "streams", "lexicon"],
    "language": ["errors", "streams", "lexicon", "language"],
    "models": ["saying", "errors", "known", "streams", "models", "__version__"],
    "benchmarks": ["plugins"],
    **{room: [*BELOW, room, "__version__"] for room in ROOMS},
    "console": ["saying", "errors", "streams"],
    "arguments": [],
    "helping": ["plugins", "streams"],
    "options": [
        "arguments",
        "helping",
        "known",
        "saying",
        "errors",
        "console",
        "plugins",
        "streams",
    ],
    "known": ["errors", "streams"],
    "commands": [
        "known",
        "saying",
        "errors",
        "plugins",
        "streams",
        "lexicon",
        "language",
        "models",
        "benchmarks",
        "console",
        "helping",
        "options",
        "lazy",
        "validating",
        "benching",
        *ROOMS,
        "commands",
    ],
    "lazy": [],
    "benching": ["errors", "streams", "models", *ROOMS],
    "validating": ["errors", "streams", "models", *ROOMS],
    "cli": ["saying", "errors", "console", "plugins", "lazy", "__version__"],
    "__init__": ["plugins", "models", "validating", *ROOMS],
    "__main__": ["cli"],
}
EDGES = {"console", "helping", "options", "arguments", "lazy", "commands", "cli", "__main__"}
MODEL_ROOMS = {"models", "embedding", "scoring", "training"}


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_only_what_lies_below_it(path):
    room = room_of(path)
    for module, name in imports(path):
        top, _, rest = module.partition(".")
        if top == "hnclip_cli":
            target = (rest or name).partition(".")[0]
            if room == target == "commands":  # only the files of one command know each other
                own = path.relative_to(PACKAGE).parts[1].removesuffix(".py")
                assert module.startswith(f"hnclip_cli.commands.{own}")
            else:
                assert target in ALLOWED[room], f"{room} imports {target}"
        if top == "click":
            assert room in EDGES, f"{room} imports click"
        if top == "open_clip":
            assert room == "models", f"{room} imports open_clip"
        if top == "torch":
            assert room in MODEL_ROOMS, f"{room} imports torch"
        if top == "spacy":
            assert room == "language", f"{room} imports spacy"
        assert top not in {"pickle", "shelve", "marshal"}, f"{path}: {top}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_edges_touch_the_standard_streams(path):
    if room_of(path) in EDGES:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = f"{node.value.id}.{node.attr}"
            assert name not in {"sys.stdin", "sys.stdout", "sys.stderr", "sys.argv", "sys.exit"}
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"print", "input", "exit"}


def test_every_file_lies_in_a_known_room():
    assert {room_of(path) for path in modules()} == set(ALLOWED)


def test_the_map_of_the_rooms_is_that_of_their_imports():
    assert PAGE.read_text() == render(), "run: python docs/generate_map.py"
