"""Shards of WebDataset as records: tar files whose members, grouped by name, are samples."""

import itertools
import operator
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any, NamedTuple

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.sources.captions import MAX_CAPTION_BYTES, decode_captions, records_of_image
from hnclip_cli.sources.folders import in_record, is_image, kind
from hnclip_cli.streams.files import open_regular
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record, parse_record
from hnclip_cli.streams.tars import Member, iter_members, join_member, read_at

CAPTIONS = ("txt", "caption")
NEGATIVE_IMAGE, NEGATIVE_CAPTION = "neg_image", "neg_caption"

_RANGE = re.compile(r"(\d{1,18})\.\.(\d{1,18})")


def shard_records(
    patterns: Iterable[str],
    policy: ErrorPolicy | None = None,
    *,
    caption_lines: bool = False,
    every_image: bool = False,
) -> Iterator[dict[str, Any]]:
    """A record for each caption of each sample of tar shards, in their order.

    A sample is the run of members that have the same name up to the first dot of its last part.
    Its record has ``id``, that name; ``image`` in the spelling ``shard.tar::member``; ``caption``
    from ``.txt``, ``.caption`` or the JSON; and the other fields of the JSON. ``.neg_image`` and
    ``.neg_caption``, as TripletCLIP has them, with or without a further ending, become
    ``negative_images`` and ``negatives``. The images are not read, and memory does not grow, but
    for the keys of one shard.

    Args:
        patterns: paths, with braces for several.
        policy: what becomes of samples without an image, damaged and compressed shards; by default
            they end the reading. It is told of members that are not read, and empty shards.
        caption_lines: each line of a ``.txt`` or ``.caption`` is a caption.
        every_image: a sample of several images is not read for the first only, but has records of
            each, with its name as their ``group``.

    Raises:
        HnclipError: a shard is not there, or no regular file.
    """
    wanted = _Wanted(caption_lines, every_image)
    for pattern in patterns:
        for path in expand_braces(pattern):
            try:
                stream = open_regular(path)
            except FileNotFoundError:
                raise HnclipError("no such shard", where=path, hint="another name") from None
            with stream:
                yield from _records(stream, path, policy or ErrorPolicy(), wanted)


class _Wanted(NamedTuple):
    caption_lines: bool
    every_image: bool


@dataclass
class _Sample:
    stream: IO[bytes]
    shard: str
    key: str
    wanted: _Wanted
    members: dict[str, Member] = field(default_factory=dict)  # by ending
    repeated: str = ""
    read: set[str] = field(default_factory=set)  # endings

    @property
    def where(self) -> str:
        return f"{self.shard}: sample {self.key!r}"

    def error(self, problem: str, got: str = "", expected: str = "") -> InputError:
        return InputError(problem, where=self.where, got=got, expected=expected)

    def under(self, name: str) -> list[Member]:
        """The members of this ending, with or without a further one."""
        endings = [end for end in self.members if end == name or end.startswith(f"{name}.")]
        self.read.update(endings)
        return [self.members[ending] for ending in endings]

    @property
    def images(self) -> dict[str, str]:
        """Members that end like images, by ending: rather ``jpg`` than ``depth.png``."""
        endings = [
            ending
            for ending, member in sorted(self.members.items(), key=lambda item: "." in item[0])
            if ending.partition(".")[0] != NEGATIVE_IMAGE
            and (ending == "image" or is_image(member.name))
        ]
        endings = endings if self.wanted.every_image else endings[:1]
        self.read.update(endings)
        if not endings:
            got = " ".join(f".{ending}" for ending in self.members)
            raise self.error("it has no image", got)
        return {ending: self.spelled(self.members[ending]) for ending in endings}

    def spelled(self, member: Member) -> str:
        name = join_member(self.shard, member.name)
        if not in_record(name):
            raise self.error("a name is not UTF-8, so no record can hold it")
        return name

    def texts(self, member: Member, *, by_line: bool = False) -> list[str]:
        member = member._replace(size=min(member.size, MAX_CAPTION_BYTES + 1))
        where = f"{self.where}: {member.name}"
        return decode_captions(read_at(self.stream, member), where, by_line=by_line)


def _records(
    stream: IO[bytes], path: str, policy: ErrorPolicy, wanted: _Wanted
) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for sample in _samples(stream, path, policy, wanted):
        try:
            if sample.key in seen:
                raise sample.error("its members do not lie together, or two have its name")
            seen.add(sample.key)
            found = list(_of_sample(sample))
        except InputError as error:
            policy.bad(error)
            continue
        yield from found
        for ending, member in sample.members.items():
            if ending not in sample.read:
                _unread(member, path, policy)
    if not seen:
        policy.odd("shards without a sample", path)


def _unread(member: Member, path: str, policy: ErrorPolicy) -> None:
    what = kind(member.name.rpartition("/")[2]).replace("files", "members")
    policy.odd(f"{what} that were not read", join_member(path, member.name))


def _samples(
    stream: IO[bytes], path: str, policy: ErrorPolicy, wanted: _Wanted
) -> Iterator[_Sample]:
    try:
        for key, run in itertools.groupby(_parts(stream, path, policy), operator.itemgetter(0)):
            sample = _Sample(stream, path, key, wanted)
            for _, ending, member in run:
                if ending in sample.members:
                    sample.repeated = member.name
                sample.members[ending] = member
            yield sample
    except HnclipError as error:
        policy.bad(InputError(str(error)))  # the sample before it may lack members


def _parts(stream: IO[bytes], path: str, policy: ErrorPolicy) -> Iterator[tuple[str, str, Member]]:
    """The members that are part of a sample, as in WebDataset, with its key and their ending."""
    for member in iter_members(stream, path):
        folder, slash, name = member.name.rpartition("/")
        stem, _, ending = name.partition(".")
        if stem and ending and not stem.startswith("__"):
            yield folder + slash + stem, ending.lower(), member
        else:
            _unread(member, path, policy)


def _of_sample(sample: _Sample) -> Iterator[dict[str, Any]]:
    if sample.repeated:
        raise sample.error("two members of one name", got=repr(sample.repeated))
    fields = _json_fields(sample)
    ours: dict[str, Any] = {}
    if members := sample.under(NEGATIVE_CAPTION):
        texts = [text for member in members for text in sample.texts(member)]
        ours["negatives"] = [{"caption": text, "kind": "unspecified"} for text in texts]
    if members := sample.under(NEGATIVE_IMAGE):
        ours["negative_images"] = [sample.spelled(member) for member in members]
    images, captions = sample.images, _captions(sample)
    if len(images) > 1:
        ours["group"] = sample.key
    for count, (ending, image) in enumerate(images.items()):
        name = f"{sample.key}.{ending}" if count else sample.key
        yield from records_of_image({"id": name, "image": image} | ours, captions, [fields])


def _captions(sample: _Sample) -> list[str]:
    """Those of the first file of captions."""
    for ending in CAPTIONS:
        if ending in sample.members:
            sample.read.add(ending)
            return sample.texts(sample.members[ending], by_line=sample.wanted.caption_lines)
    return []


def _json_fields(sample: _Sample) -> Record:
    member = sample.members.get("json")
    if member is None:
        return Record({})
    sample.read.add("json")
    if member.size > MAX_CAPTION_BYTES:
        raise sample.error("its JSON is too large", f"{member.size} bytes")
    where = f"{sample.where}: {os.path.basename(member.name)}"
    return parse_record(read_at(sample.stream, member), where, 1, nan_as_null=True)


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
