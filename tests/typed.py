"""Typed commands of pages: which there are, and a fast ``hnclip`` to run them.

python -m tests.typed        lists every typed command, and why it is not run

``serve`` imports what takes long once, and forks a process for each call of the small program
that ``program`` writes; so a page's lines run in a real shell with real pipes, and soon.
"""

import array
import contextlib
import importlib
import json
import os
import pkgutil
import re
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GENERATED = {"benchmark_list.md", "cli.md", "kinds.md", "models.md"}
# Longer than a test should take, or of photographs that not everybody has.
PAGES_OF_REAL_DATA = {"tour.md"}
RUN = {"cat", "echo", "head", "hnclip"}
PLACEHOLDER = re.compile(r"(?<![\w.-])[A-Z][A-Z_]{2,}\b|…")
REMOTE = re.compile(r"--pretrained|,openai\b|hf-hub:|s3://|https?://|stabilityai/")


@dataclass
class Typed:
    """A command of a page, and what stands under it."""

    command: str
    output: list[str] = field(default_factory=list)

    def reason(self) -> str:
        """Why it is not run; empty where it is."""
        if found := PLACEHOLDER.search(self.command):
            return f"data or weights of yours: {found[0]}"
        return "weights or a network" if REMOTE.search(self.command) else ""


def pages() -> list[Path]:
    found = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [path for path in found if path.name not in GENERATED | PAGES_OF_REAL_DATA]


def blocks(text: str) -> Iterator[list[str]]:
    """Blocks of shell, fenced or indented, without their indentation."""
    block: list[str] = []
    fence = None
    for line in [*text.splitlines(), ""]:
        if line.startswith("```"):
            fence = line[3:].strip() if fence is None else None
        elif fence in {"", "bash", "sh", "console"} or (fence is None and line.startswith("    ")):
            block.append(line.removeprefix("    ") if fence is None else line)
            continue
        if block:
            yield block
        block = []


def is_whole(command: str) -> bool:
    """Whether the shell would run it, or wait for another line."""
    if command.endswith(("\\", "|", "&&")):
        return False
    return subprocess.run(["bash", "-n", "-c", command], capture_output=True).returncode == 0


def typed(text: str) -> list[Typed]:
    """The commands of a page in their order; those of a block with prompts have their output."""
    found: list[Typed] = []
    for block in blocks(text):
        prompts = any(line.startswith("$ ") for line in block)
        waiting = ""
        for line in block:
            if waiting:
                waiting += "\n" + line
            elif line.startswith("$ ") if prompts else line.partition(" ")[0] in RUN:
                waiting = line.removeprefix("$ ")
            elif prompts and found:
                found[-1].output.append(line)
            if waiting and is_whole(waiting):
                found.append(Typed(waiting))
                waiting = ""
        assert not waiting, f"no end of: {waiting}"
    return [one for one in found if "hnclip" in one.command or one.output]


def files(text: str) -> Iterator[tuple[str, str]]:
    """(name, text) of the Python files that a page shows, named in their first line."""
    yield from re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def program(folder: Path) -> Path:
    """A program ``hnclip`` in the folder, which has ``serve`` run its call."""
    script = f"""#!{sys.executable} -SE
import array, json, os, socket, sys
to = socket.socket(socket.AF_UNIX)
to.connect({str(folder / "socket")!r})
call = json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode()
streams = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))
to.sendmsg([len(call).to_bytes(4, "big")], [streams])
to.sendall(call)
sys.exit(int(to.recv(8) or b"1"))
"""
    path = folder / "hnclip"
    path.write_text(script)
    path.chmod(0o755)
    return path


def serve(folder: Path) -> None:
    """Run calls until killed. The exit code of each is written to the file ``codes``."""
    import hnclip_cli

    for module in pkgutil.walk_packages(hnclip_cli.__path__, "hnclip_cli."):
        if module.name != "hnclip_cli.__main__":
            with contextlib.suppress(ImportError):  # of an extra
                importlib.import_module(module.name)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "socket"))
    listener.listen(64)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that answer
    while True:
        to, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            answer(to, folder / "codes")
        to.close()


def answer(to: socket.socket, codes: Path) -> None:
    """Run one call in a process of its own, and send its exit code."""
    size, ancillary, _, _ = to.recvmsg(4, socket.CMSG_SPACE(12))
    call = b""
    while len(call) < int.from_bytes(size, "big"):
        call += to.recv(65536)
    arguments, folder, environment = json.loads(call)
    streams = array.array("i", ancillary[0][2])
    child = os.fork()
    if child == 0:
        to.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = arguments
        code: object = 1
        try:
            runpy.run_module("hnclip_cli", run_name="__main__")
        except SystemExit as ending:
            code = ending.code or 0
        finally:
            os._exit(code if isinstance(code, int) else 1)
    for stream in streams:
        os.close(stream)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with codes.open("a") as file:
        file.write(f"{code} {' '.join(arguments[1:])}\n")
    to.sendall(str(code).encode())
    os._exit(0)


def main() -> None:
    for page in pages():
        for one in typed(page.read_text()):
            print(page.name, one.reason() or "run", json.dumps(one.command), sep="\t")


if __name__ == "__main__":
    serve(Path(sys.argv[1])) if sys.argv[1:] else main()
