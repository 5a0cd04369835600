"""A file of captions that is being read: what all formats share."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from hnclip_cli.errors import InputError
from hnclip_cli.sources.places import coco_places, find_image
from hnclip_cli.streams.files import open_input_file
from hnclip_cli.streams.json_parts import Part, json_parts
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader, numbered_lines
from hnclip_cli.streams.records import Record, parse_record


@dataclass
class Source:
    """A file or folder of captions, and how to read it.

    A bad entry meets the policy; one without a caption is left out and counted.
    """

    path: str
    images: str | None = None  # the folder of the images
    save_images: str | None = None  # where images go that lie inside of the file
    caption_key: str | None = None
    image_key: str | None = None
    splits: Sequence[str] = ()  # those that are read; all, where none is named
    caption_lines: bool = False  # each line of a text file is a caption
    policy: ErrorPolicy = field(default_factory=ErrorPolicy)
    num_of_split: Counter[str] = field(default_factory=Counter)  # entries that there are

    def parts(self) -> Iterator[Part]:
        """The values of a JSON file."""
        with open_input_file(self.path) as stream:
            yield from json_parts(stream, self.path)

    def json_rows(self, *keys: str) -> Iterator[Record]:
        """The objects in a JSON file's lists under these keys; in the list that it is under ""."""
        for part in self.parts():
            if part.key in keys and part.number is not None:
                try:
                    row = self.row(part.text, part.place)
                except InputError as error:
                    self.policy.bad(error)
                else:
                    yield row

    def row(self, text: str, place: str) -> Record:
        """An object of a JSON file; `InputError` where it is none."""
        return parse_record(text.encode(), f"{self.path}: {place}", nan_as_null=True)

    def jsonl_rows(self) -> Iterator[Record]:
        """The lines of a JSONL file."""
        with open_input_file(self.path) as stream:
            yield from RecordReader(stream, self.path, self.policy, nan_as_null=True)

    def lines(self) -> Iterator[Record]:
        """The lines of a text file that are not blank, each as ``line`` of a record."""
        with open_input_file(self.path) as stream:
            for lines in numbered_lines(stream, self.path):
                for number, data in lines:
                    row = Record({}, self.path, number)
                    try:
                        row["line"] = data.decode().strip("\r\n")
                    except UnicodeDecodeError as error:
                        got = f"byte 0x{data[error.start]:02x} at column {error.start + 1}"
                        self.policy.bad(row.error("invalid UTF-8", got=got, hint="iconv"))
                    else:
                        yield row

    def records(
        self, rows: Iterable[Record], convert: Callable[[Record], Iterable[dict[str, Any]]]
    ) -> Iterator[dict[str, Any]]:
        """What ``convert`` makes of each row; a bad row meets the policy."""
        for row in rows:
            try:
                found = list(convert(row))
            except InputError as error:
                self.policy.bad(error)
            else:
                yield from found

    def takes(self, split: str, num_entries: int = 1) -> bool:
        """Whether entries of a split are read; counts them."""
        self.num_of_split[split] += num_entries
        return not self.splits or split in self.splits

    def described(
        self,
        row: Record,
        captions: Sequence[str],
        names: Sequence[str] = (),
        *,
        url: str = "",
        id: str = "",
        **fields: Any,
    ) -> Iterator[dict[str, Any]]:
        """A record for each caption of an image.

        Args:
            row: the entry that says so.
            captions: what it says; the space around is dropped, blank ones too.
            names: of the image in the folder of the images, the likeliest first; it may lie in the
                places of COCO there.
            url: of the image, for those who do not have that folder.
            id: of the entry; from the second caption on ``#`` and its number follow.
            fields: others of each record.

        Raises:
            InputError: the image is not in the folder.
        """
        captions = [text for caption in captions if (text := caption.strip())]
        if not captions:
            self.policy.odd("entries without a caption", row.where)
            return
        image = self._image(row, names, url)
        ours = {"image": image} if image else {}
        if not image and len(captions) > 1 and id:
            ours["group"] = id
        for number, caption in enumerate(captions, 1):
            more = f"#{number}" if number > 1 else ""
            yield {**({"id": id + more} if id else {}), **ours, "caption": caption, **fields}

    def _image(self, row: Record, names: Sequence[str], url: str) -> str:
        if self.images is None:
            return url or (names[0] if names else "")
        if url and not names:
            names = [unquote(urlsplit(url).path).rpartition("/")[2] or url]
        places = [place for name in names for place in coco_places(name)]
        return find_image(row, self.images, places) if places else ""
