"""hnclip refine: the side of negatives that never sees an image."""

import io

from click.testing import CliRunner

from hnclip_cli.cli import cli
from tests.conftest import parse_lines, to_lines


def run(*args, stdin=b""):
    return CliRunner().invoke(cli, ["refine", *map(str, args)], input=io.BytesIO(stdin))


def refinable():
    for number in range(40):
        color, other = ("red", "blue") if number % 2 else ("blue", "red")
        negatives = [
            {"caption": f"a {other} bus", "kind": "replace-color", "edits": []},
            {"caption": f"bus a {color}", "kind": "shuffle-words", "edits": []},
        ]
        yield {"id": str(number), "caption": f"a {color} bus", "negatives": negatives, "x": number}


def test_refine_drops_what_the_text_gives_away_and_says_what_it_kept():
    records = list(refinable())
    result = run(stdin=to_lines(*records))
    assert result.exit_code == 0
    refined = parse_lines(result.stdout_bytes)
    assert [{**r, "negatives": []} for r in refined] == [{**r, "negatives": []} for r in records]
    kinds = [negative["kind"] for record in refined for negative in record["negatives"]]
    assert set(kinds) == {"replace-color"}
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"hnclip: refine: kept {len(kinds)} of 80 negatives")
    assert "hnclip: shuffle-words: kept 0 of 40 negatives (0%)" in lines
    assert run("-q", stdin=to_lines(*records)).stderr == ""


def test_refine_of_nothing_is_nothing():
    result = run()
    assert (result.exit_code, result.stdout) == (0, "")


def test_refine_tells_who_forgot_to_make_negatives():
    result = run(stdin=to_lines({"caption": "a cat"}))
    assert (result.exit_code, result.stdout) == (1, "")
    assert '-:1: missing field "negatives"; try hnclip negatives first' in result.stderr


def test_bad_records_are_skipped_on_demand():
    bad = {"caption": 3, "negatives": []}
    result = run("--on-error", "skip", stdin=to_lines(bad, *refinable()))
    assert result.exit_code == 3
    assert len(parse_lines(result.stdout_bytes)) == 40
