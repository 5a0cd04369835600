import io

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.errors import InputError
from hnclip_cli.streams.jsonl import ErrorPolicy, RecordReader
from hnclip_cli.streams.records import (
    MAX_DEPTH,
    MAX_DIGITS,
    Matching,
    Negative,
    Record,
    as_records,
    format_record,
    hash64,
    parse_record,
    with_gaps,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(
        st.characters(exclude_categories=["Cs"])), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), json_values))
def test_any_object_survives_the_wire_with_its_fields_in_place(fields):
    record = parse_record(format_record(fields), "caps.jsonl", 3)
    assert record == fields
    assert list(record) == list(fields)


@given(st.binary(max_size=60))
def test_any_line_is_a_record_or_an_error_that_names_the_line(line):
    try:
        parse_record(line, "caps.jsonl", 7)
    except InputError as error:
        assert str(error).startswith("caps.jsonl:7: ")
        assert "\n" not in str(error)


def test_integers_beyond_64_bits_are_not_rounded():
    line = b'{"id":"a","hash":123456789012345678901234567890}'
    assert format_record(parse_record(line)) == line + b"\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"caption": ', "caps.jsonl:2: broken JSON"),
        (b"[1, 2]", "caps.jsonl:2: not a record; got '[1, 2]', expected a JSON object"),
        (b'{"caption": "caf\xe9"}', "caps.jsonl:2: invalid UTF-8; got byte 0xe9 at column 17"),
        (rb'{"caption": "\ud800", "n": 1234567890123456789012}', "caps.jsonl:2: broken JSON"),
        (b"NaN", "caps.jsonl:2: broken JSON"),
        (b"[" * 100_000, "caps.jsonl:2: broken JSON"),
    ],
)
def test_a_line_that_is_no_record_says_why(line, message):
    with pytest.raises(InputError) as caught:
        parse_record(line, "caps.jsonl", 2)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, 'missing field "caption"; got the fields none'),
        ({"caption": 5}, "field \"caption\" has the wrong type; got '5', expected a string"),
        ({"caption": " \n"}, "field \"caption\" is empty; got '', expected some text"),
    ],
)
def test_a_bad_caption_says_what_was_found(fields, message):
    with pytest.raises(InputError) as caught:
        _ = Record(fields, "x", 1).caption
    assert str(caught.value) == f"x:1: {message}"


def test_an_entry_without_a_line_is_told_by_its_source():
    with pytest.raises(InputError, match=r'^a\.json: x\[3\]: missing field "caption"; got .* n$'):
        _ = Record({"n": 1}, "a.json: x[3]").caption
    with pytest.raises(InputError, match=r"^a\.json: x\[3\]: not a record"):
        parse_record(b"5", "a.json: x[3]")
    with pytest.raises(InputError, match="surrogates not allowed"):
        parse_record(b'{"caption": "\\ud800", "n": NaN}', nan_as_null=True)


def test_negatives_are_checked():
    fields = {"negatives": [{"caption": "a dog", "kind": "replace-noun", "edits": []}]}
    assert Record(fields).negatives == [Negative("a dog", "replace-noun")]
    assert Record({}).negatives == []
    for bad in ([5], [{"kind": "x"}], [{"caption": ""}], [{"caption": "a", "kind": 1}], "a"):
        with pytest.raises(InputError, match="negatives"):
            _ = Record({"negatives": bad}).negatives


def test_the_short_form_is_a_matching_item_with_the_caption_first():
    record = Record({"image": "i.png", "caption": "a cat", "negatives": [{"caption": "a dog"}]})
    assert record.matching == Matching(["i.png"], ["a cat", "a dog"], [(0, 0)])


def test_a_matching_item_is_checked():
    fields = {"images": ["a", "b"], "captions": ["x", "y"], "truth": [[0, 0], [1, 1]]}
    assert Record(fields).matching.truth == [(0, 0), (1, 1)]
    for bad in ([[0, 2]], [[2, 0]], [[0]], [], [[0, True]], [["0", 0]], [[-1, 0]]):
        with pytest.raises(InputError, match="truth"):
            _ = Record(fields | {"truth": bad}).matching
    with pytest.raises(InputError, match="captions"):
        _ = Record(fields | {"captions": [""]}).matching


def test_the_id_is_given_or_a_hash_that_later_stages_do_not_change():
    assert Record({"id": "a"}).id == "a"
    plain = Record({"image": "i.png", "caption": "a cat"}).id
    assert plain == Record({"image": "i.png", "caption": "a cat", "scores": [[1.0]]}).id
    assert plain != Record({"image": "i.png", "caption": "a dog"}).id


def test_the_group_is_named_or_the_image_or_the_record_itself():
    assert Record({"group": "g", "image": "i.png", "id": "r"}).group == "g"
    assert Record({"image": "i.png", "id": "r"}).group == "i.png"
    assert Record({"id": "r"}).group == "r"


def test_rows_are_counted_also_where_values_are_bad():
    assert Record({"image": ""}).num_rows("image") == 1
    assert Record({"images": ["a", ""], "captions": 5}).num_rows("image") == 2
    assert Record({"images": ["a", ""], "captions": 5}).num_rows("caption") == 1
    assert Record({"negatives": [{"caption": "x"}] * 3}).num_rows("negatives") == 3
    assert Record({"negatives": [{"caption": ""}]}).num_rows("negatives") == 0


def test_records_are_written_compactly():
    assert format_record(Record({"a": "ü", "b": [1.0]})) == '{"a":"ü","b":[1.0]}\n'.encode()
    assert orjson.loads(format_record({"a": 1})) == {"a": 1}


def test_what_is_assigned_is_what_is_read():
    record = Record({"image": "i.png", "caption": "a cat"})
    before = record.id, record.negatives, record.matching
    record["negatives"] = [{"caption": "a dog"}]
    assert (record.negatives, before[1]) == ([Negative("a dog", "unspecified")], [])
    assert record.matching.captions == ["a cat", "a dog"]
    record["caption"] = "a cow"
    assert record.id != before[0]


def test_any_objects_are_records_and_records_stay_the_same_objects():
    known = Record({"n": 1}, "x.jsonl", 7, 6)
    found = list(as_records([{"n": 0}, known, {"n": 2}]))
    assert found[1] is known
    assert [(record["n"], record.where) for record in found] == [
        (0, "records:1"), (1, "x.jsonl:7"), (2, "records:3"),
    ]  # fmt: skip


def test_lines_that_are_no_records_are_gaps_in_a_reader_and_nowhere_else():
    data = b'{\n{"n":1}\n{\n{\n{"n":4}\n{\n'
    reader = RecordReader(io.BytesIO(data), policy=ErrorPolicy("skip"))
    assert list(with_gaps(reader)) == [(1, {"n": 1}), (2, {"n": 4}), (1, None)]
    chosen = list(RecordReader(io.BytesIO(data), policy=ErrorPolicy("skip")))[1:]
    assert list(with_gaps(chosen)) == [(0, {"n": 4}), (0, None)]
    assert list(with_gaps([])) == [(0, None)]


def test_a_hash_depends_on_all_parts_of_its_key():
    assert hash64("a", 1) == hash64("a", "1")
    assert len({hash64("a", "b"), hash64("ab"), hash64("a"), hash64("a\udc80"), hash64("a?")}) == 5
    assert 0 <= hash64("a") < 1 << 64


def nested(depth):
    return b'{"a":' * depth + b"1" + b"}" * depth


def test_what_is_read_can_be_written():
    record = parse_record(nested(MAX_DEPTH))
    assert parse_record(format_record(record)) == record
    record = parse_record(b'{"a":' + b"9" * MAX_DIGITS + b"}")
    assert parse_record(format_record(record)) == record and float(record["a"]) > 1e299


@pytest.mark.parametrize(
    "line",
    [
        nested(MAX_DEPTH + 1),
        nested(2000),
        b'{"a":' + b"[" * 999 + b"]" * 999 + b"}",
        b'{"a":1' + b"0" * MAX_DIGITS + b"}",
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":1e999}',
    ],
)
def test_depth_and_digits_have_bounds(line):
    with pytest.raises(InputError, match=r"^x:3: broken JSON") as caught:
        parse_record(line, "x", 3)
    assert len(str(caught.value)) < 250


def test_brackets_in_texts_are_not_counted():
    assert parse_record(b'{"a":"' + b"[" * 999 + b'"}')


def test_what_is_not_finite_is_null_only_by_that_name():
    line = b'{"a":NaN,"b":[-Infinity,' + b"1" * 25 + b"]}"
    record = parse_record(line, nan_as_null=True)
    assert record == {"a": None, "b": [None, int("1" * 25)]}
    with pytest.raises(InputError, match="infinity"):
        parse_record(b'{"a":NaN,"b":1e999}', nan_as_null=True)
