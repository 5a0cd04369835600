"""Shards of WebDataset as records: tar files whose members, grouped by name, are samples."""

import itertools
import operator
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.sources.folders import MAX_CAPTION_BYTES, decode_caption, in_record, is_image
from hnclip_cli.streams.files import open_regular
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record, parse_record
from hnclip_cli.streams.tars import Member, iter_members, join_member, read_at

CAPTIONS = ("txt", "caption")
NEGATIVE_IMAGE, NEGATIVE_CAPTION = "neg_image", "neg_caption"

_RANGE = re.compile(r"(\d+)\.\.(\d+)")


def shard_records(
    patterns: Iterable[str], policy: ErrorPolicy | None = None
) -> Iterator[dict[str, Any]]:
    """A record for each sample of tar shards, in their order.

    A sample is the run of members that have the same name up to the first dot of its last part.
    Its record has ``id``, that name; ``image`` in the spelling ``shard.tar::member``; ``caption``
    from ``.txt``, ``.caption`` or the JSON's ``caption``; and the other fields of the JSON.
    ``.neg_image`` and ``.neg_caption``, as TripletCLIP has them, with or without a further
    ending, become ``negative_images`` and ``negatives``. The images are not read, and memory
    does not grow, but for the keys of one shard.

    Args:
        patterns: paths, with braces for several.
        policy: what becomes of samples without image or caption, damaged and compressed shards;
            by default they end the reading.

    Raises:
        HnclipError: a shard is not there, or no regular file.
    """
    for pattern in patterns:
        for path in expand_braces(pattern):
            try:
                stream = open_regular(path)
            except FileNotFoundError:
                raise HnclipError("no such shard", where=path, hint="another name") from None
            with stream:
                yield from _records(stream, path, policy or ErrorPolicy())


@dataclass
class _Sample:
    stream: IO[bytes]
    shard: str
    key: str
    members: dict[str, Member] = field(default_factory=dict)  # by ending
    repeated: str = ""

    @property
    def where(self) -> str:
        return f"{self.shard}: sample {self.key!r}"

    def error(self, problem: str, got: str = "", expected: str = "") -> InputError:
        return InputError(problem, where=self.where, got=got, expected=expected)

    def lacks(self, what: str, expected: str = "") -> InputError:
        got = " ".join(f".{ending}" for ending in self.members)
        return self.error(f"it has no {what}", got, expected)

    def negative(self, name: str) -> Member | None:
        """The member of this ending, with or without a further one."""
        found = (end for end in self.members if end == name or end.startswith(f"{name}."))
        return self.members.get(next(found, ""))

    def spelled(self, member: Member) -> str:
        name = join_member(self.shard, member.name)
        if not in_record(name):
            raise self.error("a name is not UTF-8, so no record can hold it")
        return name

    def text(self, member: Member) -> str:
        member = member._replace(size=min(member.size, MAX_CAPTION_BYTES + 1))
        return decode_caption(read_at(self.stream, member), f"{self.where}: {member.name}")


def _records(stream: IO[bytes], path: str, policy: ErrorPolicy) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for sample in _samples(stream, path, policy):
        try:
            if sample.key in seen:
                raise sample.error("its members do not lie together, or two have its name")
            seen.add(sample.key)
            yield _record(sample)
        except InputError as error:
            policy.bad(error)


def _samples(stream: IO[bytes], path: str, policy: ErrorPolicy) -> Iterator[_Sample]:
    try:
        for key, run in itertools.groupby(_parts(stream, path), operator.itemgetter(0)):
            sample = _Sample(stream, path, key)
            for _, ending, member in run:
                if ending in sample.members:
                    sample.repeated = member.name
                sample.members[ending] = member
            yield sample
    except HnclipError as error:
        policy.bad(InputError(str(error)))  # the sample before it may lack members


def _parts(stream: IO[bytes], path: str) -> Iterator[tuple[str, str, Member]]:
    """The members that are part of a sample, as in WebDataset, with its key and their ending."""
    for member in iter_members(stream, path):
        folder, slash, name = member.name.rpartition("/")
        stem, _, ending = name.partition(".")
        if stem and ending and not stem.startswith("__"):
            yield folder + slash + stem, ending.lower(), member


def _record(sample: _Sample) -> dict[str, Any]:
    if sample.repeated:
        raise sample.error("two members of one name", got=repr(sample.repeated))
    fields = _json_fields(sample)
    ours: dict[str, Any] = {
        "id": sample.key,
        "image": _image(sample),
        "caption": _caption(sample, fields),
    }
    if member := sample.negative(NEGATIVE_CAPTION):
        ours["negatives"] = [{"caption": sample.text(member), "kind": "unspecified"}]
    if member := sample.negative(NEGATIVE_IMAGE):
        ours["negative_images"] = [sample.spelled(member)]
    return ours | {name: value for name, value in fields.items() if name not in ours}


def _image(sample: _Sample) -> str:
    """The first member that ends like an image, rather ``.jpg`` than ``.depth.png``."""
    for ending, member in sorted(sample.members.items(), key=lambda item: "." in item[0]):
        is_negative = ending.partition(".")[0] == NEGATIVE_IMAGE
        if not is_negative and (ending == "image" or is_image(member.name)):
            return sample.spelled(member)
    raise sample.lacks("image")


def _caption(sample: _Sample, fields: dict[str, Any]) -> str:
    for ending in CAPTIONS:
        if ending in sample.members:
            return sample.text(sample.members[ending])
    caption = fields.get("caption")
    if not isinstance(caption, str) or not caption.strip():
        raise sample.lacks("caption", 'a .txt, a .caption, or a .json with "caption"')
    return caption


def _json_fields(sample: _Sample) -> Record:
    member = sample.members.get("json")
    if member is None:
        return Record({})
    if member.size > MAX_CAPTION_BYTES:
        raise sample.error("its JSON is too large", f"{member.size} bytes")
    try:
        return parse_record(read_at(sample.stream, member))
    except InputError as error:
        problem = str(error).partition(": ")[2]
        raise sample.error(f"{os.path.basename(member.name)}: {problem}") from None


def expand_braces(pattern: str) -> Iterator[str]:
    """``shard-{000..009}.tar`` and ``{train,val}.tar``, also nested, as a shell expands them.

    Numbers keep the width that they are written with. What is not a range or a list of braces
    stays as it is. Names come one by one, however many there are.
    """
    opening = pattern.find("{")
    while opening >= 0:
        parts, closing = _braces(pattern, opening)
        if parts:
            break
        opening = pattern.find("{", opening + 1)
    else:
        yield pattern
        return
    for part in parts:
        for middle in expand_braces(part):
            for rest in expand_braces(pattern[closing + 1 :]):
                yield pattern[:opening] + middle + rest


def _braces(pattern: str, opening: int) -> tuple[Iterable[str], int]:
    """What the braces that open here stand for, nothing if they are plain text; where they end."""
    depth, start = 0, opening + 1
    parts: list[str] = []
    for at in range(opening, len(pattern)):
        character = pattern[at]
        depth += (character == "{") - (character == "}")
        if depth == 0 or (depth == 1 and character == ","):
            parts.append(pattern[start:at])
            start = at + 1
        if depth == 0:
            if numbers := _RANGE.fullmatch(pattern[opening + 1 : at]):
                return _numbers(numbers[1], numbers[2]), at
            return (parts if len(parts) > 1 else []), at
    return [], opening


def _numbers(first: str, last: str) -> Iterator[str]:
    """From the first to the last number, upwards or downwards."""
    padded = any(len(word) > 1 and word.startswith("0") for word in (first, last))
    width = max(len(first), len(last)) if padded else 0
    step = 1 if int(first) <= int(last) else -1
    for number in range(int(first), int(last) + step, step):
        yield f"{number:0{width}d}"
