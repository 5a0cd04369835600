"""What is fuzzed: for each reader a function of bytes, and files that it reads as they should be.

A reader gives what it read, or an `HnclipError` of one line. Anything else is a fault.
"""

import contextlib
import io
import json
import tarfile
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import orjson
from PIL import Image

from hnclip_cli.benchmarks import BENCHMARKS
from hnclip_cli.errors import HnclipError
from hnclip_cli.evaluation.gallery import Gallery
from hnclip_cli.evaluation.pages.changes import changes
from hnclip_cli.evaluation.table import _fit
from hnclip_cli.evaluation.tally import Tally
from hnclip_cli.language.usage import Usage
from hnclip_cli.lexicon import Lexicon, tables
from hnclip_cli.lexicon.tables import BUILT_IN, TABLES, Row, Table
from hnclip_cli.negatives.generators.chat import read_answer
from hnclip_cli.negatives.generators.failures import FLAGS, Failures
from hnclip_cli.negatives.generators.replies import (
    Passing,
    Unanswered,
    complaint_of,
    parsed,
    text_of,
    tokens_of,
)
from hnclip_cli.negatives.generators.waits import announced_wait
from hnclip_cli.sources.benchmarks.files import Files
from hnclip_cli.sources.caption_files import caption_records
from hnclip_cli.sources.shards import shard_records
from hnclip_cli.streams.images import load_image
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.streams.npy import Rows
from hnclip_cli.streams.records import Record, format_record, parse_record
from hnclip_cli.streams.regions import regions_of
from hnclip_cli.streams.tars import Shards
from tests.fuzz import folders
from tests.sources.benchmarks.test_garbage import CSV_FILES, JSON_FILES
from tests.sources.caption_files.examples import EXAMPLES

MAX_LETTERS = 4_000  # of a message


class Target(NamedTuple):
    """One reader. ``read`` gets bytes and an empty folder; ``words`` are worth putting in."""

    read: Callable[[bytes, Path], None]
    seeds: list[bytes]
    words: list[bytes]


def check(target: Target, data: bytes, folder: Path) -> None:
    """Read, and hold what goes wrong to what is promised of errors."""
    try:
        target.read(data, folder)
    except HnclipError as error:
        checked(error)


def checked(error: HnclipError) -> None:
    text = str(error)
    assert "\n" not in text and 0 < len(text) < MAX_LETTERS, text[:MAX_LETTERS]


def attempt(function: Callable[[], object]) -> None:
    try:
        function()
    except HnclipError as error:
        checked(error)


# ---- records


def read_records(data: bytes, folder: Path) -> None:
    tally, gallery = Tally(["kind", "benchmark", "tags"]), Gallery()
    for record in RecordReader(io.BytesIO(data), "x", ErrorPolicy("skip", checked)):
        assert parse_record(format_record(record)) == record
        for name in ("image", "caption", "id", "group", "negatives", "negative_images", "crops",
                     "image_list", "caption_list", "matching"):  # fmt: skip
            attempt(lambda name=name, record=record: getattr(record, name))
        attempt(lambda record=record: regions_of(record))
        attempt(lambda record=record: record.num_rows("negatives"))
        try:
            tally.add(record)
        except HnclipError as error:
            checked(error)
        else:
            gallery.watch(record)
    for labels in tally.finish().labels.values():
        for label in labels:
            _fit(str(label))
    for failure in gallery.failures():
        changes(failure.label[1], failure.record.id)


RECORD = {"id": "a", "image": "a.jpg", "caption": "a red cat", "group": "g",
          "crops": [[0, 0, 9, 9]],
          "negatives": [{"caption": "a blue cat", "kind": "k", "edits": [[2, 5, "blue"]]}],
          "negative_images": ["b.jpg"], "scores": [[0.5, 0.25]], "benchmark": "sugarcrepe",
          "regions": [{"box": [0, 0, 4, 4], "text": "cat", "role": "subject"}],
          "tags": {"a": "b"}}  # fmt: skip
MATCHING = {"images": ["a.jpg", "b.jpg"], "captions": ["a", "b"], "truth": [[0, 0], [1, 1]],
            "scores": [[1, 0], [0, 1]], "crops": [None, [1, 1, 2, 2]], "subset": "s",
            "prompts_per_class": 1, "ordered": False, "benchmark": "winoground"}  # fmt: skip
RECORD_WORDS = [json.dumps(name).encode() for name in RECORD | MATCHING] + [
    b"null", b"1e308", b"-1e-400", b"9" * 19, b"9" * 400, b"[" * 300, b"{" * 90, b"\n", b"\\ud800",
    b"[]", b"{}", b'""', b"true", b"-1", b"\xff", b"\xe2\x80\xa8", b"[[0,0]]",
]  # fmt: skip


# ---- arrays, archives, images


def read_npy(data: bytes, folder: Path) -> None:
    rows = Rows.from_npy(io.BytesIO(data), "x.npy")
    rows.read(0, min(len(rows.array), 3))


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


NPY_WORDS = [b"(2, 3)", b"(-2, -3)", b"'<f4'", b"'|O'", b"True", b"'descr'", b"9" * 18,
             b"(" * 300, b"\\N{", b"'''", b"[('a', '<f4')]", b"'>f8'", b"\x01\x00",
             b"\x02\x00", b"3L"]  # fmt: skip


def read_tar(data: bytes, folder: Path) -> None:
    path = folder / "a.tar"
    path.write_bytes(data)
    for record in shard_records([str(path)], ErrorPolicy("skip", checked)):
        assert parse_record(format_record(dict(record)))
    attempt(lambda: Shards().read(str(path), "a.jpg", 1 << 20))


def _tar(format: int) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=format) as tar:
        for name, content in {"a.jpg": b"x", "a.txt": b"a cat", "a.json": b'{"b": 1}',
                              "é" * 60 + ".jpg": b"", "é" * 60 + ".txt": b"y"}.items():  # fmt: skip
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.pax_headers = {"hnclip.note": "a note"}
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()[:6144]


TAR_WORDS = [b"77777777777\0", b"\x80" + bytes(10) + b"\xff", b"x", b"g", b"L", b"S",
             b"ustar\x0000", b"30 GNU.sparse.major=1\n", b"22 size=1152921504606846976\n",
             b"0" * 11]  # fmt: skip


def read_image(data: bytes, folder: Path) -> None:
    (folder / "a").write_bytes(data)
    (folder / "a.npy").write_bytes(data)
    for name in ("a", "a.npy"):
        record = Record({"image": name}, "x", 1)
        attempt(lambda name=name, record=record: load_image(record, name, str(folder)).size)


def _images() -> list[bytes]:
    found = [_npy(np.zeros((4, 4, 3), np.uint8))]
    for name in ("png", "jpeg", "gif", "bmp", "tiff", "webp", "ppm", "ico", "jpeg2000"):
        stream = io.BytesIO()
        Image.new("RGB", (16, 16), "teal").save(stream, name)
        found.append(stream.getvalue())
    return found


IMAGE_WORDS = [b"IHDR", b"IDAT", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"zTXt", b"II*\0",
               b"MM\0*", b"\xff\xc0", b"RIFF", b"P6 99999 99999 255\n", b"GIF89a"]  # fmt: skip


# ---- files of benchmarks, words and counts


def read_benchmark(data: bytes, folder: Path) -> None:
    """The first byte says which benchmark reads the others."""
    name = NAMES[data[0] % len(NAMES)] if data else NAMES[0]
    path = folder / FILES[name]
    for part in ("a.jpg", "a.jpg.png", "a_on_b.jpg", "1.jpg", "1/1.jpg", "count/a.jpg"):
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        (folder / part).touch()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data[1:])
    config = folder / "corpus/v1/Object/b.yaml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_bytes(b"ANNO_PATH: data.json\nIMG_ROOT: ''")
    if b"ANNO" in data:
        config.write_bytes(data[1:])
        path.write_bytes(b"[]")
    place = folder if name in ("vl-checklist", "spec") else path
    files = Files(name, str(place), str(folder), ErrorPolicy("skip", checked))
    for record in BENCHMARKS[name].read(files):
        attempt(lambda record=record: parse_record(format_record(record)).matching)


FILES = {name: file for name, (file, _) in (JSON_FILES | CSV_FILES).items()}
# Without those that parse captions, which takes long, or fetch nothing but names of classes.
NAMES = sorted(FILES.keys() - {"aro-coco-order", "aro-flickr-order", "imagefolder"})
BENCHMARK_SEEDS = [
    bytes([number])
    + (
        json.dumps(JSON_FILES[name][1]).encode()
        if name in JSON_FILES
        else ",".join(CSV_FILES[name][1]).encode() + b"\n1" + b",a.jpg" * len(CSV_FILES[name][1])
    )
    for number, name in enumerate(NAMES)
] + [bytes([NAMES.index("vl-checklist")]) + b"ANNO_PATH: data.json\nIMG_ROOT: ''\n"]
BENCHMARK_WORDS = [
    b"[]", b"{}", b"null", b"1e308", b"9" * 400, b"[" * 300, b'"', b",", b"\n", b"\r", b"../", b"/",
    b"\xff", b"&a [*a]", b"!!python/object:os.system", b"%", b"nan", b"inf", b"-1", b"\0",
]  # fmt: skip


def read_captions(data: bytes, folder: Path) -> None:
    path = folder / "captions"
    path.write_bytes(data)
    for record in caption_records(str(path), policy=ErrorPolicy("skip", checked)):
        assert parse_record(format_record(record)).caption.strip()


def _captions() -> list[bytes]:
    """The example of each data set that is a file, but for those that pyarrow reads."""
    found = []
    for example in EXAMPLES.values():
        with tempfile.TemporaryDirectory() as folder:
            if example.format not in ("parquet", "datasets", "parquet-folder"):
                path = example.write(Path(folder))
                found += [path.read_bytes()] if path.is_file() else []
    return found


CAPTION_WORDS = [*RECORD_WORDS, b"\t", b"\r\n", b"|", b"#0\t", b",", b'"', b"NaN", b"http://x/a.jpg",
                 b'"annotations"', b'"images"', b'"image_id"', b"\xef\xbb\xbf"]  # fmt: skip


def read_words(data: bytes, folder: Path) -> None:
    """The first byte says which table the others are."""
    name = list(TABLES)[data[0] % len(TABLES)] if data else "words"
    for old in folder.glob("*.tsv"):
        old.unlink()
    (folder / f"{name}.tsv").write_bytes(data[1:])
    with mock.patch.object(tables, "_read", _read):
        Lexicon(str(folder)).rows(name)


_plain_read = tables._read
_built_in = cache(_plain_read)


def _read(path: Path, table: Table, is_own: bool) -> dict[tuple[str, ...], Row]:
    """As `tables._read`, which reads the built-in table again each time."""
    read = _plain_read if is_own else _built_in
    return dict(read(path, table, is_own))


WORDS_SEEDS = [
    bytes([number]) + b"".join((BUILT_IN / f"{name}.tsv").read_bytes().splitlines(True)[:6])
    for number, name in enumerate(TABLES)
] + [bytes([list(TABLES).index("words")]) + b"class\tword\nresting\tlad\n-resting\tlaying\n"]
WORDS_WORDS = [b"\t", b"\n", b"-", b",", b"<men>", b"<", b"#", b"\xef\xbb\xbf", b"\xff", b"class"]


def read_fitted(data: bytes, folder: Path) -> None:
    Usage.load(io.BytesIO(data), "x")


FITTED = {"format": "hnclip-usage", "version": 1, "captions": 3, "words": ["cat", "dog", "run"],
          "frequencies": [3, 2, 2], "relations": ["does"], "pairs": [0, 0, 2, 2],
          "scenes": [0, 1, 2]}  # fmt: skip


# ---- answers of an endpoint


def read_answers(data: bytes, folder: Path) -> None:
    reply = parsed(data)
    complaint = complaint_of(reply)
    tokens_of(reply)
    with contextlib.suppress(Passing, Unanswered):
        read_answer(text_of(reply))
    text = data.decode("latin-1")
    reason = " ".join(text.splitlines())
    for status in (200, 400, 404, 429, 500):
        error = Failures("http://a/v1", FLAGS).of(_Response(status, reason), complaint)
        assert "\n" not in str(error) and len(str(error)) < MAX_LETTERS
    headers = dict(line.partition(":")[::2] for line in text.split("\n"))
    wait = announced_wait(429, headers, 1.8e9)
    assert wait is None or wait >= 0


class _Response:
    def __init__(self, status: int, reason: str) -> None:
        self.status_code, self.reason_phrase, self.headers = status, reason, {"Location": reason}


ANSWER = {
    "choices": [{"message": {"content": json.dumps({"negatives": [{"kind": "a", "caption": "b"}]})},
                 "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2},
}  # fmt: skip
ANSWERS = [
    ANSWER,
    {"error": {"message": "no", "code": "x", "param": "seed"}},
    {"detail": [{"loc": ["a"]}]},
]
ANSWER_WORDS = [b"null", b"[]", b"{}", b"<think>", b"```", b"9" * 400, b"[" * 1200,
                b"x-ratelimit-reset-requests: 99999999999999999999d", b"retry-after: 1e999",
                b"\n", b"\\ud800"]  # fmt: skip


TARGETS = {
    "records": Target(read_records, [orjson.dumps(RECORD), orjson.dumps(MATCHING)], RECORD_WORDS),
    "npy": Target(
        read_npy,
        [_npy(np.ones((2, 3), dtype)) for dtype in ("<f4", "<f2", ">f8")],
        NPY_WORDS,
    ),
    "tar": Target(read_tar, [_tar(tarfile.PAX_FORMAT), _tar(tarfile.GNU_FORMAT)], TAR_WORDS),
    "images": Target(read_image, _images(), IMAGE_WORDS),
    "benchmarks": Target(read_benchmark, BENCHMARK_SEEDS, BENCHMARK_WORDS),
    "captions": Target(read_captions, _captions(), CAPTION_WORDS),
    "words": Target(read_words, WORDS_SEEDS, WORDS_WORDS),
    "fitted": Target(read_fitted, [orjson.dumps(FITTED)], RECORD_WORDS),
    "configs": Target(folders.read_config, folders.CONFIGS, folders.CONFIG_WORDS),
    "states": Target(folders.read_state_of, folders.STATES, folders.STATE_WORDS),
    "answers": Target(read_answers, [orjson.dumps(answer) for answer in ANSWERS], ANSWER_WORDS),
}
