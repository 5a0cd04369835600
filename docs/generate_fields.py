"""Write docs/fields.md: the fields of a record, from the table in the code.

python docs/generate_fields.py
"""

from pathlib import Path

from hnclip_cli.streams.fields import FIELDS

PAGE = Path(__file__).parent / "fields.md"
HEAD = """# Fields of a record

*Reference.* The fields that mean something to a command. Commands keep all other fields.
[records.md](records.md) has the rules of the format.

`python docs/generate_fields.py` writes this page from `hnclip_cli/streams/fields.py`.

| field | meaning |
|---|---|
"""


def render() -> str:
    """The whole page."""
    return HEAD + "".join(f"| `{name}` | {meaning} |\n" for name, meaning in FIELDS.items())


if __name__ == "__main__":
    PAGE.write_text(render())
