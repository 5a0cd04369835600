import io
import json
import tracemalloc

import pytest

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams import json_parts as module
from hnclip_cli.streams.json_parts import json_parts

DATA = {
    "info": {"year": 2017, "note": 'a "quoted" brace } and ] — é'},
    "images": [{"id": 1, "file": "a.jpg"}, {"id": 2, "file": "b\\.jpg"}],
    "empty": [],
    "": 5,
    "annotations": [{"id": 12345, "of": [[1, 2], {"x": [-1.5e3]}]}, 7, "text", None, [1]],
    "last": 1234567,
}


def places_and_values(data):
    return [(part.place, json.loads(part.text)) for part in json_parts(io.BytesIO(data), "f.json")]


def expected(data):
    if isinstance(data, list):
        return [(f"[{n}]", value) for n, value in enumerate(data)]
    found = []
    for key, value in data.items():
        is_list = isinstance(value, list)
        found += [(f"{key}{p}", one) for p, one in expected(value)] if is_list else [(key, value)]
    return found


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("content", [DATA, DATA["annotations"], [], {}])
def test_parts_are_those_of_json_wherever_a_piece_ends(monkeypatch, content, indent, chunk):
    monkeypatch.setattr(module, "_CHUNK", chunk)
    data = json.dumps(content, indent=indent, ensure_ascii=False).encode()
    assert places_and_values(data) == expected(content)
    assert places_and_values(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n")) == expected(content)


@pytest.mark.parametrize("chunk", [1, 1 << 20])
def test_a_file_that_was_cut_anywhere_is_broken(monkeypatch, chunk):
    monkeypatch.setattr(module, "_CHUNK", chunk)
    data = json.dumps(DATA, ensure_ascii=False).encode()
    for end in range(0, len(data) - 1, 1 if chunk > 1 else 17):
        with pytest.raises(HnclipError, match=r"^f\.json:1: broken JSON at character [\d,]+ \("):
            places_and_values(data[:end])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", ":1: broken JSON at character 1 (neither a list nor an object)"),
        (b"12", "(neither a list nor an object)"),
        (b"[1,]", "(a comma stands before the end)"),
        (b'{"a": 1,}', "(a comma stands before the end)"),
        (b"[1 2]", "(expected ',' or ']')"),
        (b'{"a" 1}', "(expected ':')"),
        (b"{1: 2}", "(a key of an object is no text)"),
        (b'{"\\ud800": 2}', "(a key of an object is no text)"),
        (b"[1]\n[2]", ":2: broken JSON at character 5 (something stands behind its end)"),
        (b'{"a": [1,\n\n{"b": nul}]}', ":3: broken JSON at character 12 (Expecting value)"),
        (b'["caf\xe9"]', "(invalid UTF-8, "),
        ("[1]".encode("utf-16"), "(invalid UTF-8, "),
        (b"[" * 100_000, "(maximum recursion depth exceeded"),
        (b"[" + b"9" * 5000 + b"]", "(Exceeds the limit"),
    ],
)  # fmt: skip
def test_what_is_no_json_is_told_with_its_place(data, message):
    with pytest.raises(HnclipError) as raised:
        places_and_values(data)
    assert str(raised.value).startswith("f.json:") and message in str(raised.value)


def test_a_value_has_a_bound(monkeypatch):
    monkeypatch.setattr(module, "MAX_LINE_BYTES", 1000)
    monkeypatch.setattr(module, "_CHUNK", 100)
    assert len(places_and_values(json.dumps(["x" * 900] * 9).encode())) == 9
    with pytest.raises(HnclipError, match="or of more than"):
        places_and_values(json.dumps(["x" * 9000]).encode())


def test_memory_holds_one_value(monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 1 << 12)
    data = io.BytesIO(b"[" + b",".join([b'{"phrase": "' + b"x" * 1000 + b'"}'] * 5000) + b"]")
    tracemalloc.start()
    count = sum(1 for _ in json_parts(data, "f.json"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 5000
    assert peak < 200_000
