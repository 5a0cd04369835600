"""hnclip negatives --preset conme against two models behind real servers on this machine."""

import pytest
from click.testing import CliRunner

from hnclip_cli.cli import cli
from tests.conftest import parse_lines, to_lines
from tests.negatives.generators.conftest import no_proxies, serve
from tests.negatives.generators.server import completion, failing
from tests.negatives.generators.vision import RED_DOG, STRONG, WEAK, save_images, talk

__all__ = ["no_proxies", "serve"]

KEYS = {"OUR_KEY": "sk-secret-123", "WEAK_KEY": "wk-hidden-456"}


@pytest.fixture
def run(tmp_path):
    """Runs it on a file beside its images: the records, the lines on stderr, and the exit code."""
    save_images(tmp_path)

    def run(server, *args, records=(RED_DOG,)):
        (tmp_path / "in.jsonl").write_bytes(to_lines(*records))
        where = ("--endpoint", server.url, "--generator-model", STRONG, "--weak-model", WEAK)
        arguments = ["negatives", "--preset", "conme", *where, *args, tmp_path / "in.jsonl"]
        result = CliRunner().invoke(cli, [str(argument) for argument in arguments], env=KEYS)
        return parse_lines(result.stdout_bytes), result.stderr.splitlines(), result.exit_code

    return run


def test_two_models_talk_about_the_image_of_each_record(serve, run, tmp_path):
    """With the key and the price of each; a second run asks nothing, and writes the same."""
    server, weak = serve(talk), serve(talk)
    args = ("--weak-endpoint", weak.url, "--api-key-env", "OUR_KEY", "--weak-api-key-env")
    args += ("WEAK_KEY", "--price", "10,100", "--weak-price", "1,10", "--workers", 2)
    args += ("--resume", tmp_path / "answers.jsonl")
    records = [RED_DOG, RED_DOG | {"id": "8", "image": "blue.png"}]
    made, errors, code = run(server, *args, records=records)
    assert ([record["id"] for record in made], code) == (["7", "8"], 0)
    assert [negative["caption"] for negative in made[0]["negatives"]] == [
        "A red cow on a sofa.",
        "A blue dog on a sofa.",
    ]
    assert made[1]["negatives"] == []
    assert any("the stronger model: 8 requests; " in line and "cost 0.0" in line for line in errors)
    assert any("the weaker model: " in line and "cost 0.0" in line for line in errors)
    assert not any(key in line for key in KEYS.values() for line in errors)
    for asked, key in ((server, "OUR_KEY"), (weak, "WEAK_KEY")):
        authorized = {headers["Authorization"] for _, headers, _ in asked.requests}
        assert authorized == {f"Bearer {KEYS[key]}"}
    num_asked, silent = len(weak.requests), serve(lambda _: failing(500))
    again, errors, code = run(silent, *args, records=records)
    assert (again, code, silent.requests, len(weak.requests)) == (made, 0, [], num_asked)
    assert any("answers known from before" in line for line in errors)


def test_bad_records_are_named_and_bad_answers_counted(serve, run):
    def behavior(handler):
        if handler.question["model"] == WEAK and "A" in handler.asked and handler.number % 2:
            return completion("The picture is lovely.")
        return talk(handler)

    records = [RED_DOG | {"image": "none.png"}, RED_DOG]
    made, errors, code = run(serve(behavior), "--on-error", "skip", records=records)
    assert ([record["image"] for record in made], code) == (["red.png"], 3)
    assert "in.jsonl:1: image not found" in errors[0]
    assert any("as the weaker model chose neither A nor B" in line for line in errors)
    assert errors[-1] == "hnclip: skipped 1 bad record"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--preset", "conme"], "--generator conme needs --endpoint"),
        (["--preset", "conme", "--endpoint", "x"], "--generator conme needs --weak-model"),
        (["--weak-model", "x"], "--weak-model does nothing with --generator lexicon"),
        (["--image-root", "."], "--generator lexicon looks at no image"),
        (["--preset", "conme", "--endpoint", "http://x", "--weak-model", "m",
          "--weak-api-key-env", "NO_SUCH"], "--weak-api-key-env: the environment has no NO_SUCH"),
        (["--preset", "conme", "--preset", "aro-order"], "does not make shuffle-nouns"),
    ],
)  # fmt: skip
def test_wrong_usage_is_found_early(args, message):
    result = CliRunner().invoke(cli, ["negatives", *args], input="")
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
