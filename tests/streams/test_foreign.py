import io
import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import save

from hnclip_cli.cli import cli
from hnclip_cli.errors import InputError
from hnclip_cli.sources.caption_files.recognizing import Head
from hnclip_cli.streams import jsonl
from hnclip_cli.streams.foreign import instead
from hnclip_cli.streams.jsonl import RecordReader
from tests.sources.caption_files.examples import EXAMPLES

COMMANDS = {
    "negatives": ["negatives"],
    "fit": ["fit", "-o", "out"],
    "refine": ["refine"],
    "mine": ["mine", "e.npy", "-k", "1"],
    "embed": ["embed", "--of", "caption", "--model", "RUN", "-o", "out"],
    "score": ["score", "--model", "RUN"],
    "train": ["train", "--model", "hnclip-tiny", "--steps", "1", "-o", "out"],
    "eval": ["eval"],
}
# Records already, though with other names, which the one that needs them asks for.
LINES = {"docci", "localized_narratives"}


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in LINES])
def test_negatives_names_what_converts_each_data_set(name, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    monkeypatch.chdir(tmp_path)
    path = EXAMPLES[name].write(tmp_path).relative_to(tmp_path)  # long paths are shortened
    result = CliRunner().invoke(cli, ["negatives", str(path)])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert f"hnclip data captions {path} > records.jsonl" in result.stderr


@pytest.mark.parametrize("name", ["coco", "blip_test", "cc3m", "laion", "img2dataset"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_names_it(name, command, tmp_path, monkeypatch, tiny_run):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    monkeypatch.chdir(tmp_path)
    np.save("e.npy", np.eye(5, dtype=np.float32))
    path = EXAMPLES[name].write(tmp_path)
    arguments = [tiny_run if word == "RUN" else word for word in COMMANDS[command]]
    result = CliRunner().invoke(cli, [*arguments, str(path)])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert f"hnclip data captions {path} > records.jsonl" in result.stderr


def test_a_pretty_list_is_told_what_jq_makes_of_it(tmp_path):
    path = tmp_path / "a list.json"
    path.write_text(json.dumps([{"image": "1.jpg", "caption": "a cat"}], indent=2))
    with pytest.raises(InputError) as raised:
        list(RecordReader(path.open("rb"), str(path)))
    assert str(raised.value).endswith(
        f"; try hnclip data captions '{path}' > records.jsonl, "
        f"or jq -c '.[]' '{path}' > records.jsonl"
    )


@pytest.mark.parametrize(
    ("head", "hint"),
    [
        (b'{\n "caption": "a cat"\n}\n', "jq -c . FILE > records.jsonl"),
        (b'[\n]', "jq -c '.[]' FILE"),
        (b'{"info": {}, "images": [{"id": 1', "hnclip data captions FILE > records.jsonl"),
        (b'{\n  "1.jpg": ["a cat"]', "hnclip data captions FILE > records.jsonl"),
        (b"PK\x03\x04....", "unzip -p FILE > unpacked"),
        (b"\x1f\x8b....", "gzip -dc FILE > unpacked"),
        (b"A cat on a sofa.\n", "hnclip data captions FILE --format lines > records.jsonl"),
        (b"1.jpg\ta cat\n", "hnclip data captions FILE > records.jsonl"),
    ],
)  # fmt: skip
def test_the_first_bytes_say_what_to_do(head, hint):
    assert hint in instead(head, "-")


def _saved(write, *given):
    stream = io.BytesIO()
    write(*given, stream)
    return stream.getvalue()


OTHERS = {
    "png": (_saved(lambda stream: Image.new("RGB", (3, 3)).save(stream, "PNG")), "an image"),
    "jpeg": (_saved(lambda stream: Image.new("RGB", (3, 3)).save(stream, "JPEG")), "an image"),
    "npy": (_saved(lambda stream: np.save(stream, np.eye(3))), "an array"),
    "npz": (_saved(lambda stream: np.savez(stream, a=np.eye(3))), "an array"),
    "torch": (_saved(torch.save, {"a": torch.ones(3)}), "weights of a model"),
    "safetensors": (save({"a": torch.ones(3)}), "weights of a model"),
}


@pytest.mark.parametrize("longest", [jsonl.MAX_LINE_BYTES, 40])
@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_text_is_named(kind, longest, monkeypatch, tmp_path):
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", longest)
    data, what = OTHERS[kind]
    with pytest.raises(InputError, match=f"^-: {what}, not a file of records; try "):
        list(RecordReader(io.BytesIO(data)))
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(InputError, match=f"file: {what}, not a file of records; try "):
        Head.of(str(tmp_path / "file"))


@pytest.mark.parametrize("head", [b'{"caption": "a cat"', b'["a cat"]', b"\x93NUMPY\x01\0", b"1\0"])
def test_of_what_is_not_known_nothing_is_said(head):
    assert instead(head, "-") == ""


def test_a_data_set_on_one_line_is_no_record_also_where_the_line_is_too_long(monkeypatch):
    line = json.dumps({"info": {}, "images": [{"id": 1}], "annotations": [{"caption": "a cat"}]})
    for longest in (jsonl.MAX_LINE_BYTES, 40):
        monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", longest)
        monkeypatch.setattr(jsonl, "CHUNK_BYTES", 30)
        with pytest.raises(InputError, match=r"-:1: .*; try hnclip data captions FILE > rec"):
            list(RecordReader(io.BytesIO(line.encode())))


def test_a_field_with_another_name_is_told_what_renames_it():
    (record,) = RecordReader(io.BytesIO(b'{"text": "a cat"}'), "my.jsonl")
    hint = r"^my\.jsonl:1: .*; try --{0}-key NAME, or hnclip .* --{0}-key NAME > records\.jsonl$"
    with pytest.raises(InputError, match=hint.format("caption")):
        _ = record.caption
    with pytest.raises(InputError, match=hint.format("image")):
        _ = record.image


def test_only_the_first_line_is_looked_at():
    *_, record = RecordReader(io.BytesIO(b'{"caption": "a cat"}\n{"text": "a cat"}'))
    with pytest.raises(InputError, match=r'missing field "caption"; got the fields text$'):
        _ = record.caption
    reader = RecordReader(io.BytesIO(b'{"caption": "a cat"}\nimage,caption\n'))
    with pytest.raises(InputError, match=r"expected one JSON object$"):
        list(reader)
