"""Flags that take numbers take no others than there are."""

import click
import pytest
from click.testing import CliRunner

from hnclip_cli import options
from hnclip_cli.cli import cli
from tests.test_docs import commands

NUMBERS = {
    f"{' '.join(names)} {parameter.opts[0]}": kind
    for names, command in commands()
    for parameter in command.params
    for kind in getattr(parameter.type, "types", [parameter.type])
    if isinstance(kind, click.types.IntParamType | click.types.FloatParamType)
}
ABSURD = ["nan", "-nan", "inf", "-inf", "1e999", "1" + "0" * 20, str(2**63), "9" * 400, "9" * 5000,
          "", "0x10", "-2"]  # fmt: skip


@pytest.mark.parametrize("flag", NUMBERS)
@pytest.mark.parametrize("text", ABSURD)
def test_absurd_numbers_are_wrong_usage(flag, text):
    assert isinstance(NUMBERS[flag], options.Whole | options.Number)
    with pytest.raises(click.BadParameter):
        NUMBERS[flag].convert(text, None, None)


def test_every_choice_says_what_is_spelled_alike():
    kinds = [
        kind
        for _, command in commands()
        for parameter in command.params
        for kind in getattr(parameter.type, "types", [parameter.type])
    ]
    assert not [k for k in kinds if isinstance(k, click.Choice) and type(k) is not options.Choice]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["eval", "--format", "tabel"], "got 'tabel', expected one of json, table; try table"),
        (["negatives", "--kind", "swap-adj"], "shuffle-words; try swap-adjective"),
        (["negatives", "--preset", "ceclip"], "conme; try ce-clip"),
        (["data", "benchmark", "sugarcreep", "x"], "; try sugarcrepe"),
        (["eval", "--format", "x"], "got 'x', expected one of json, table"),
    ],
)
def test_a_name_that_is_none_of_them_is_told_the_nearest(arguments, expected):
    said = CliRunner().invoke(cli, arguments)
    assert said.exit_code == 2 and said.stderr.rstrip().endswith(expected)


@pytest.mark.parametrize(
    "arguments",
    [
        ["negatives", "--shard", "0/" + "9" * 5000],
        ["negatives", "--shard", "-1/2"],
        ["negatives", "--shard", "٠/٢"],
        ["negatives", "--generator", "http", "--endpoint", "http://a", "--price", "nan,1"],
        ["negatives", "--generator", "http", "--endpoint", "http://a", "--price", "1,inf"],
        ["embed", "--of", "image", "--model", "x:y", "--device", "cuda:" + "9" * 20],
        ["embed", "--of", "image", "--model", "x:y", "--device", "meta"],
        ["train", "--model", "a", "-o", "b", "--steps", "1", "--set", "lora_rank", "nan"],
        ["train", "--model", "a", "-o", "b", "--steps", "1", "--set", "weight_decay", "inf"],
    ],
)
def test_so_are_those_that_stand_in_other_words(arguments):
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2, result.output
    assert "Invalid value" in result.stderr


@pytest.mark.parametrize("command", [["train", "--steps", "1", "-o", "x"], ["score"]])
@pytest.mark.parametrize("name", ["open_clip_config.json", "config.json"])
def test_a_folder_brings_its_weights(tmp_path, command, name):
    (tmp_path / name).touch()
    for model in (str(tmp_path), f"local-dir:{tmp_path}"):
        result = CliRunner().invoke(cli, [*command, "--model", model, "--pretrained", "openai"])
        assert result.exit_code == 2
        assert "brings its weights; try without --pretrained" in result.stderr


ONE_VALUE = [
    (names, parameter)
    for names, command in commands()
    for parameter in command.params
    if isinstance(parameter, click.Option) and not (parameter.multiple or parameter.is_flag)
]


@pytest.mark.parametrize(("names", "parameter"), ONE_VALUE)
def test_of_two_values_for_one_none_is_dropped(names, parameter):
    values = ["1"] * parameter.nargs
    arguments = [*names, parameter.opts[0], *values, parameter.opts[-1], *values]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2 and "takes one value, and is given 2 times" in result.stderr


def test_flags_may_be_repeated():
    result = CliRunner().invoke(cli, ["eval", "-v", "-v", "--help", "--help"])
    assert result.exit_code == 0


def test_a_seed_may_have_63_bits():
    assert options.Whole(0, largest=options.MAX_SEED).convert(str(2**63 - 1), None, None)
