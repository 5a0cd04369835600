"""Write a manual page of each command from its help, as hnclip.1, hnclip-train.1, ….

python docs/generate_man.py FOLDER
"""

import sys
from pathlib import Path

from docs.generate_cli import cli, helps
from hnclip_cli import __version__


def page(name: str, text: str) -> str:
    """The help of a command in the language of man, its lines as they are."""
    usage, _, rest = text.partition("\n\n")
    what = rest.partition("\n\n")[0].split()
    lines = [
        f'.TH "{name.upper()}" 1 "" "hnclip {__version__}"',
        ".SH NAME",
        escaped(f"{name} - {' '.join(what)}"),
        ".SH SYNOPSIS",
        escaped(" ".join(usage.removeprefix("Usage: ").split())),
        ".SH DESCRIPTION",
        ".nf",
    ]
    for line in rest.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            lines.append(f'.SH "{escaped(line[:-1].upper())}"\n.nf')
        else:
            lines.append(escaped(line.removeprefix("  ")))
    return "\n".join(lines) + "\n"


def escaped(line: str) -> str:
    """A line as text: no escape, no request, and no hyphen for a minus sign."""
    line = line.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{line}" if line[:1] in {".", "'"} else line


def write(folder: Path) -> None:
    """All pages."""
    folder.mkdir(parents=True, exist_ok=True)
    for command, text in helps(cli, "hnclip"):
        name = command.replace(" ", "-")
        (folder / f"{name}.1").write_text(page(name, text))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
