"""Official files made on the spot, and their records."""

import json
from pathlib import Path

import pytest

from hnclip_cli.benchmarks import BENCHMARKS
from hnclip_cli.sources.benchmarks.files import Files
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record


class Folder:
    """A folder with official files in ``official/`` and empty images in ``images/``."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.images = base / "images"
        self.path = base / "official"
        self.images.mkdir()
        self.path.mkdir()
        self.notes = []

    def image(self, *names):
        for name in names:
            (self.images / name).parent.mkdir(parents=True, exist_ok=True)
            (self.images / name).touch()

    def write(self, name, content):
        """An official file: text as it is, anything else as JSON."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))

    def read(self, name, path=None, policy=None):
        """The records, each held to what the record promises."""
        policy = policy or ErrorPolicy()
        files = Files(name, str(path or self.path), str(self.images), policy, self.notes.append)
        records = list(BENCHMARKS[name].read(files))
        for record in records:
            checked = Record(json.loads(json.dumps(record)))
            assert checked.matching and checked.id == record["id"]
            assert checked["benchmark"] == name and checked["subset"]
            assert all(isinstance(text, str) for text in record.get("tags", {}).values())
            assert set(checked.crops) <= set(checked.image_list)
        assert len({record["id"] for record in records}) == len(records)
        return records

    def names(self, record):
        """The images of a record as names in ``images/``."""
        images = record["images"] if "images" in record else [record["image"]]
        return [str(Path(image).relative_to(self.images)) for image in images]


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)
