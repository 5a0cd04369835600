import numpy as np
import pytest
from click.testing import CliRunner

from hnclip_cli.cli import cli
from tests.conftest import parse_lines, to_lines
from tests.factories import make_records


@pytest.fixture
def records(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return make_records(tmp_path, 3)


def hnclip(*args, **options):
    return CliRunner().invoke(cli, list(map(str, args)), **options)


def test_embed_then_score_equals_score(records, tiny_run):
    data = to_lines(*records)
    for of in ("image", "caption", "negatives"):
        result = hnclip("embed", "--of", of, "--model", tiny_run, "-o", f"{of}.npy", input=data)
        assert (result.exit_code, result.stdout_bytes, result.stderr) == (0, b"", "")
    from_arrays = hnclip(
        "score", "--image-embeddings", "image.npy", "--caption-embeddings", "caption.npy",
        "--negative-embeddings", "negatives.npy", input=data,
    )  # fmt: skip
    from_model = hnclip("score", "--model", tiny_run, input=data)
    assert from_arrays.exit_code == from_model.exit_code == 0
    for one, other, record in zip(
        parse_lines(from_arrays.stdout_bytes), parse_lines(from_model.stdout_bytes), records,
        strict=True,
    ):  # fmt: skip
        np.testing.assert_allclose(one.pop("scores"), other.pop("scores"), atol=2e-6)
        assert other.pop("run")["model"] == str(tiny_run)
        assert one == other == record  # arrays name no model


def test_shards_joined_are_the_whole(records, tiny_run):
    data = to_lines(*records)
    whole = hnclip("score", "--model", tiny_run, "--batch-size", 1, input=data).stdout_bytes
    parts = [
        hnclip("score", "--model", tiny_run, "--batch-size", 1, "--shard", f"{i}/2", input=data)
        for i in range(2)
    ]
    assert b"".join(part.stdout_bytes for part in parts) == whole


def test_half_precision_rows_are_half_as_long(records, tiny_run):
    for dtype in ("float32", "float16"):
        hnclip(
            "embed", "--of", "caption", "--model", tiny_run, "--dtype", dtype, "-o", f"{dtype}.npy",
            input=to_lines(*records),
        )  # fmt: skip
    full, half = np.load("float32.npy"), np.load("float16.npy")
    assert (full.dtype, half.dtype) == (np.float32, np.float16)
    np.testing.assert_allclose(full, half, atol=1e-3)


@pytest.mark.parametrize("command", [("score",), ("embed", "--of", "image")])
@pytest.mark.parametrize(("on_error", "code"), [("fail", 1), ("skip", 3)])
def test_bad_records_end_the_run_or_are_counted(records, tiny_run, command, on_error, code):
    data = to_lines(records[0]) + b"{broken\n" + to_lines(records[1] | {"image": "none.png"})
    result = hnclip(*command, "--model", tiny_run, "--on-error", on_error, input=data)
    assert result.exit_code == code
    assert "-:2: broken JSON" in result.stderr
    if code == 3:
        assert "-:3: image not found" in result.stderr
        assert result.stderr.endswith("hnclip: skipped 2 bad records\n")
    if command == ("score",):
        assert len(parse_lines(result.stdout_bytes)) == 1
    elif code == 1:
        assert result.stdout_bytes == b""  # no half array


def test_nothing_in_gives_nothing_out(tiny_run):
    result = hnclip("score", "--model", tiny_run, input=b"")
    assert (result.exit_code, result.stdout_bytes, result.stderr) == (0, b"", "")


def test_a_failed_embed_leaves_no_file(records, tiny_run, tmp_path):
    before = set(tmp_path.iterdir())
    result = hnclip(
        "embed", "--of", "image", "--model", tiny_run, "-o", "a.npy", input=to_lines({"image": "x"})
    )
    assert result.exit_code == 1
    assert set(tmp_path.iterdir()) == before


def test_a_missing_file_is_named(tiny_run):
    result = hnclip("score", "--model", tiny_run, "none.jsonl")
    assert result.exit_code == 1
    assert result.stderr.startswith("hnclip: none.jsonl: cannot read it: No such file")


def test_logits_from_arrays_equal_those_from_the_model(records, tiny_run):
    data = to_lines(*(record | {"negatives": []} for record in records))
    for of in ("image", "caption"):
        hnclip("embed", "--of", of, "--model", tiny_run, "-o", f"{of}.npy", input=data)
    options = ["score", "--logits", "--model", tiny_run]
    from_model = hnclip(*options, input=data)
    from_arrays = hnclip(
        *options, "--image-embeddings", "image.npy", "--caption-embeddings", "caption.npy",
        input=data,
    )  # fmt: skip
    assert from_model.exit_code == from_arrays.exit_code == 0
    one, other = (parse_lines(result.stdout_bytes) for result in (from_model, from_arrays))
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_allclose(mine["scores"], theirs["scores"], atol=1e-4)
    assert abs(one[0]["scores"][0][0]) > 1


def test_comclip_parses_captions_where_regions_have_roles_only(records, tiny_run):
    regions = [{"box": [0, 0, 30, 64], "role": "subject"}]
    data = to_lines(records[0] | {"regions": regions}, records[1])
    spelled = [{"box": [0, 0, 30, 64], "text": "a red square"}]
    other = to_lines(records[0] | {"negatives": [], "regions": spelled})
    result = hnclip("score", "--method", "comclip", "--model", tiny_run, input=data)
    assert result.exit_code == 0
    assert result.stderr == "hnclip: 1 of 2 records have no regions: plain cosines\n"
    by_text = hnclip("score", "--method", "comclip", "--model", tiny_run, input=other)
    expected = parse_lines(by_text.stdout_bytes)[0]["scores"][0][0]
    assert parse_lines(result.stdout_bytes)[0]["scores"][0][0] == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["--model", ".", "--image-embeddings", "i.npy", "--caption-embeddings", "c.npy"],
        ["--image-embeddings", "i.npy"],
        ["--negative-embeddings", "i.npy", "--caption-embeddings", "c.npy"],
        ["--image-embeddings", "-", "--caption-embeddings", "c.npy", "-"],
        ["--logits", "--image-embeddings", "i.npy", "--caption-embeddings", "c.npy"],
        ["--method", "explain", "--image-embeddings", "i.npy", "--caption-embeddings", "c.npy"],
        ["--method", "comclip", "--image-embeddings", "i.npy", "--caption-embeddings", "c.npy"],
    ],
    ids=lambda flags: " ".join(map(str, flags)),
)
def test_flags_that_do_not_go_together_are_wrong_usage(flags):
    result = hnclip("score", *flags, input="")
    assert result.exit_code == 2
    assert "Error: " in result.stderr


def test_negatives_that_the_model_does_not_tell_apart_are_counted(records, tiny_run):
    long = "word " * 100
    for record in records:
        record["caption"] = f"{long}red"
        record["negatives"] = [{"caption": f"{text}", "kind": "x"} for text in (f"{long}blue", "b")]
    result = hnclip("score", "--model", tiny_run, input=to_lines(*records))
    assert result.exit_code == 0
    assert "false captions with the tokens of true ones: 3 (same_tokens)" in result.stderr
    assert [record["same_tokens"] for record in parse_lines(result.stdout_bytes)] == [[1]] * 3
