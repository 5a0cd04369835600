"""The record: one JSON object that the stages hand on and add fields to."""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

from hnclip_cli.errors import InputError
from hnclip_cli.streams.foreign import converting

T = TypeVar("T")
# Left, top, width, height in pixels.
Box = tuple[float, float, float, float]
RowsOf = Literal["image", "caption", "negatives"]

# orjson turns integers beyond 64 bits into floats; lines that may hold one are parsed again.
_LONG_INTEGER = re.compile(rb"\d{19}")

MAX_DIGITS = 300  # of an integer, so that each is a finite float
MAX_DEPTH = 200  # of lists and objects in each other, so that orjson can write them

_NOT_FINITE = re.compile(rb"NaN|Infinity")

_MAX_SIDE = 1 << 24  # of a box; beyond it a float32 no longer counts pixels

_TYPE_NAMES = {str: "a string", list: "a list", dict: "an object", int: "a number"}


@dataclass(frozen=True, slots=True)
class Matching:
    """The general item; ``truth`` holds the pairs (image index, caption index) that are true."""

    images: list[str]
    captions: list[str]
    truth: list[tuple[int, int]]


class Negative(NamedTuple):
    """A caption that is false for the image, and what kind of change made it so."""

    caption: str
    kind: str


class Record(dict[str, Any]):
    """A JSON object that knows where it was read, so that every complaint names the line.

    Known fields are checked whenever they are read, by properties that raise `InputError`;
    all other fields are carried along untouched.
    """

    def __init__(self, fields: Mapping[str, Any], source: str = "-", line: int = 0, index: int = 0):
        super().__init__(fields)
        # The file's name, ``-`` for standard input, ``records`` for records of a program.
        self.source = source
        self.line = line  # line number, from 1; 0 where ``source`` says the place
        # Position among the non-blank lines of a reader's input (or shard), from 0.
        self.index = index

    @property
    def where(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source

    def error(
        self, problem: str, *, got: str = "", expected: str = "", hint: str = ""
    ) -> InputError:
        """An `InputError` that names this record's line."""
        return InputError(problem, where=self.where, got=got, expected=expected, hint=hint)

    def field(self, name: str, kind: type[T]) -> T:
        """The value of a field that must be there and be of this type; else an `InputError`."""
        if name not in self:
            known = ", ".join(list(self)[:8]) or "none"
            is_first = self and self.line == 1 and self.source != "records"
            is_renamed = is_first and name in ("caption", "image")  # in all lines, it seems
            flag = f"--{name}-key NAME"
            hint = f"{flag}, or {converting(self.source, f' {flag}')}" if is_renamed else ""
            raise self.error(f'missing field "{name}"', got=f"the fields {known}", hint=hint)
        value = self[name]
        if not isinstance(value, kind):
            raise self.error(
                f'field "{name}" has the wrong type',
                got=shorten(value),
                expected=_TYPE_NAMES.get(kind, kind.__name__),
            )
        return value

    def text(self, name: str) -> str:
        """A field that holds text; an `InputError` where it is missing, no string, or blank."""
        text = self.field(name, str)
        if not text.strip():
            raise self.error(f'field "{name}" is empty', got=shorten(text), expected="some text")
        return text

    @property
    def caption(self) -> str:
        return self.text("caption")

    @property
    def image(self) -> str:
        return self.text("image")

    @property
    def id(self) -> str:
        """``id``, or where it is absent a stable hash of the images and captions."""
        if "id" in self:
            return self.text("id")
        content = [self.get(name) for name in ("image", "caption", "images", "captions")]
        return f"{hash64(json.dumps(content, sort_keys=True, default=str)):016x}"

    @property
    def group(self) -> str:
        """What names the image: ``group``, else ``image``, else the record's own ``id``."""
        for name in ("group", "image"):
            if name in self:
                return self.text(name)
        return self.id

    @property
    def negatives(self) -> list[Negative]:
        """The hard negatives; an absent field is an empty list."""
        if "negatives" not in self:
            return []
        negatives = []
        for position, item in enumerate(self.field("negatives", list)):
            name = f"negatives[{position}]"
            if not isinstance(item, dict):
                example = '{"caption": …, "kind": …}'
                raise self.error(f"{name} is not an object", got=shorten(item), expected=example)
            caption, kind = item.get("caption"), item.get("kind", "unspecified")
            if not isinstance(caption, str) or not caption.strip():
                raise self.error(f"{name} has no caption", got=shorten(item), expected="some text")
            if not isinstance(kind, str):
                raise self.error(f"{name} has a bad kind", got=shorten(kind), expected="a string")
            negatives.append(Negative(caption, kind))
        return negatives

    @property
    def negative_images(self) -> list[str]:
        """Images that the caption does not describe; an absent field is an empty list."""
        return self.texts("negative_images") if self.get("negative_images", []) != [] else []

    @property
    def is_matching(self) -> bool:
        """Whether this is the general item with ``images``, ``captions`` and ``truth``."""
        is_short = "image" in self and "caption" in self  # whose captions are paraphrases
        return "images" in self or ("captions" in self and not is_short)

    @property
    def image_list(self) -> list[str]:
        """All images of the record: ``images``, or ``[image]``."""
        return self.texts("images") if self.is_matching else [self.image]

    @property
    def crops(self) -> dict[str, Box]:
        """The part of an image that counts, by its name: ``crops`` has a box or null for each."""
        if "crops" not in self:
            return {}
        names, boxes = self.image_list, self.field("crops", list)
        if len(boxes) != len(names):
            raise self.error(
                'field "crops" has the wrong length',
                got=str(len(boxes)),
                expected=f"a box or null for each of {len(names)} images",
            )
        crops: dict[str, Box] = {}
        for name, box in zip(names, boxes, strict=True):
            if box is None:
                continue
            if not is_box(box) or crops.setdefault(name, tuple(box)) != tuple(box):
                raise self.error(
                    'field "crops" has a bad box',
                    got=shorten(box),
                    expected="[left, top, width, height] in pixels, one box an image",
                )
        return crops

    @property
    def caption_list(self) -> list[str]:
        """All true captions of the record: ``captions``, or ``[caption]``."""
        return self.texts("captions") if self.is_matching else [self.caption]

    @property
    def matching(self) -> Matching:
        """The record as the general item; negatives become captions that are never true."""
        if not self.is_matching:
            captions = [self.caption, *(negative.caption for negative in self.negatives)]
            return Matching([self.image], captions, [(0, 0)])
        images, captions = self.texts("images"), self.texts("captions")
        return Matching(images, captions, self._truth(len(images), len(captions)))

    @property
    def prompts_per_class(self) -> int:
        """So many captions of the general item, side by side, are the prompts of one class."""
        return self._side_by_side("prompts_per_class", "captions")

    @property
    def frames_per_video(self) -> int:
        """So many images of the general item, side by side, are the frames of one video."""
        return self._side_by_side("frames_per_video", "images")

    def _side_by_side(self, name: str, of: str) -> int:
        count, number = self.get(name, 1), len(self.texts(of))
        if type(count) is not int or count < 1 or number % count:
            problem, expected = f'field "{name}" does not fit the {of}', f"a divisor of {number}"
            raise self.error(problem, got=shorten(count), expected=expected)
        return count

    @property
    def is_ordered(self) -> bool:
        """Whether each caption of the general item says more that is true than the next."""
        ordered = self.get("ordered", False)
        if ordered is False:
            return False
        item = self.matching
        true = [(0, index) for index in range(len(item.truth))]
        is_one = len(item.images) == 1 and len(item.captions) > 1
        if ordered is not True or not is_one or sorted(item.truth) != true:
            expected = "true, with one image, several captions, and the true ones first"
            problem = 'field "ordered" does not fit'
            raise self.error(problem, got=shorten(ordered), expected=expected)
        return True

    def num_rows(self, of: RowsOf) -> int:
        """Rows that it takes up in an array of embeddings, also where its values are bad."""
        if of == "negatives":
            try:
                return len(self.negatives)
            except InputError:
                return 0
        items = self.get("images" if of == "image" else "captions")
        return len(items) if self.is_matching and isinstance(items, list) and items else 1

    def _truth(self, num_images: int, num_captions: int) -> list[tuple[int, int]]:
        pairs = self.field("truth", list)
        for pair in pairs:
            is_pair = isinstance(pair, list) and list(map(type, pair)) == [int, int]
            if not (is_pair and 0 <= pair[0] < num_images and 0 <= pair[1] < num_captions):
                raise self.error(
                    'field "truth" has a bad pair',
                    got=shorten(pair),
                    expected=f"[image below {num_images}, caption below {num_captions}]",
                )
        if not pairs:
            raise self.error('field "truth" is empty', expected="at least one true pair")
        return [tuple(pair) for pair in pairs]

    def texts(self, name: str) -> list[str]:
        """A field that holds a list of texts, at least one and none blank; else an `InputError`."""
        texts = self.field(name, list)
        if not texts:
            raise self.error(f'field "{name}" is empty', expected="at least one string")
        for text in texts:
            if not isinstance(text, str) or not text.strip():
                raise self.error(
                    f'field "{name}" holds something else than text', got=shorten(text)
                )
        return texts


def as_records(records: Iterable[Mapping[str, Any]]) -> Iterator[Record]:
    """Any objects as records; those that are records already stay the same objects."""
    for number, fields in enumerate(records, 1):
        if isinstance(fields, Record):
            yield fields
        else:
            yield Record(fields, "records", number, number - 1)


def with_gaps(records: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, Record | None]]:
    """Each record with the number of lines before it that are no records, and have a row.

    At the end None, with the number of such lines behind the last record. Only a reader has some.
    """
    is_reader = hasattr(records, "num_lines")
    next_index = 0
    for record in as_records(records):
        gap = record.index - next_index if is_reader else 0
        next_index += gap + 1
        yield gap, record
    yield getattr(records, "num_lines", next_index) - next_index, None


def hash64(*key: object) -> int:
    """64 bits that depend on nothing but the key: the same on every machine, in every run."""
    data = "\0".join(map(str, key)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def parse_record(
    line: bytes, source: str = "-", number: int = 0, index: int = 0, *, nan_as_null: bool = False
) -> Record:
    """Read one line; an `InputError` where it is no UTF-8, no JSON, or not an object.

    Args:
        nan_as_null: whether NaN and infinities, which JSON does not have, are null.
    """
    import orjson  # here, so that --help does not wait for it

    where = f"{source}:{number}" if number else source
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            "invalid UTF-8",
            where=where,
            got=f"byte 0x{line[error.start]:02x} at column {error.start + 1}",
            hint="converting the file with iconv",
        ) from None
    try:
        try:
            value, again = orjson.loads(line), bool(_LONG_INTEGER.search(line))
        except ValueError:
            if not (again := nan_as_null and bool(_NOT_FINITE.search(line))):
                raise
        if again:
            value = json.loads(
                text, parse_int=_integer, parse_float=_float, parse_constant=lambda _: None
            )
            if "\\u" in text:  # half a character, which orjson refuses and cannot write
                json.dumps(value, ensure_ascii=False).encode()
        if len(line) > 2 * MAX_DEPTH and _is_deep(line) and _is_deeper(value, MAX_DEPTH):
            raise ValueError(f"lists and objects in each other more than {MAX_DEPTH} deep")
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"broken JSON ({error})", where=where, got=shorten(text), expected="one JSON object"
        ) from None
    if not isinstance(value, dict):
        raise InputError("not a record", where=where, got=shorten(text), expected="a JSON object")
    return Record(value, source, number, index)


def _float(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError("a number is infinity when parsed as double")
    return number


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(digits)} digits, {MAX_DIGITS} allowed")
    return int(digits)


def _is_deep(line: bytes) -> bool:
    """Whether a line has so many brackets that they may lie too deep."""
    return line.count(b"[") + line.count(b"{") > MAX_DEPTH


def _is_deeper(value: object, depth: int) -> bool:
    """Whether more lists and objects than that lie in each other."""
    level = [value]
    for _ in range(depth + 1):
        level = [
            item
            for part in level
            if isinstance(part, list | dict)
            for item in (part.values() if isinstance(part, dict) else part)
        ]
    return bool(level)


def format_record(record: dict[str, Any]) -> bytes:
    """A line of JSON; NaN becomes null, but a `ValueError` beside integers beyond 64 bits."""
    import orjson

    try:
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # integers beyond 64 bits
        text = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode() + b"\n"


def is_box(box: object) -> bool:
    """Whether it is [left, top, width, height], finite and at least a pixel wide and high."""
    return (
        isinstance(box, list)
        and len(box) == 4
        and all(type(side) in (int, float) and abs(side) < _MAX_SIDE for side in box)
        and min(box[2:]) >= 1
    )


def shorten(value: object, limit: int = 60) -> str:
    """A value as messages show it."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())
    return repr(text[:limit] + "…" if len(text) > limit else text)
