"""What a report says of where its numbers come from."""

import hashlib

import orjson
from click.testing import CliRunner

from hnclip_cli.cli import cli
from hnclip_cli.evaluation.report import evaluate
from tests.conftest import to_lines
from tests.evaluation.test_report import short

RUN = {"model": "run", "weights": "12ab", "scored_with": {"torch": "2"}}


def items_of(*records):
    return evaluate(records, rounds=0)["run"]["items"]


def test_the_hash_of_the_items_knows_neither_scores_nor_order():
    a, b = short([0.5, 0.1], id="a"), short([0.5, 0.1], id="b", caption="a dog")
    assert items_of(a, b) == items_of(b, a | {"scores": [[0.1, 0.9]]})
    assert len({items_of(a, b), items_of(a), items_of(a, a), items_of(a, b, b)}) == 4
    other = {"negatives": [{"caption": "another", "kind": "swap-noun"}]}
    assert items_of(a) != items_of(a | other)


def test_the_model_is_what_the_records_say():
    a, b = short([0.5, 0.1], run=RUN), short([0.5, 0.1], id="b", run=RUN)
    assert RUN.items() <= evaluate([a, b], rounds=0)["run"].items()
    other = RUN | {"model": "other"}
    run = evaluate([a, b | {"run": other}], rounds=0)["run"]
    assert run["models"] == [other, RUN] and "model" not in run
    odd = evaluate([a | {"run": 7}], rounds=0)["run"]
    assert odd.keys() == {"hnclip", "items"}


def test_a_report_names_data_date_and_command(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    file = tmp_path / "a b.jsonl"
    file.write_bytes(to_lines(short([0.5, 0.1], run=RUN), short([0.5, 0.1], run={"model": "x"})))
    result = CliRunner().invoke(cli, ["eval", "--bootstrap", "9", str(file)])
    run = orjson.loads(result.stdout)["run"]
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert run["data"] == [{"file": str(file), "sha256": sha256}]
    assert run["date"] == "1970-01-02T00:00:00Z"
    assert run["command"] == f"hnclip eval --bootstrap 9 '{file}'"
    assert result.stderr == f"hnclip: {file}: the records were scored by 2 models\n"
