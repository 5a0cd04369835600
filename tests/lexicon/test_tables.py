"""The tables of words: their faults, each with file and line, and a user's own laid over them."""

import pickle
import re

import pytest

from hnclip_cli.errors import HnclipError
from hnclip_cli.lexicon import Lexicon, load_lexicon
from hnclip_cli.lexicon.tables import BUILT_IN, TABLES, Tables


@pytest.fixture
def words(tmp_path):
    """Loads a lexicon from tables whose lines are given without their header."""

    def load(**tables):
        for name, lines in tables.items():
            header = "\t".join(TABLES[name].columns)
            rows = [line.replace("|", "\t").replace("\0", "|") for line in lines]
            (tmp_path / f"{name}.tsv").write_text("\n".join(["# mine", header, *rows]) + "\n")
        return load_lexicon(tmp_path)

    return load


def test_all_tables_are_in_order():
    Lexicon().check()
    assert {path.stem for path in BUILT_IN.glob("*.tsv")} == TABLES.keys()


@pytest.mark.parametrize("name", sorted(TABLES.keys() - {"nouns"}))
def test_every_entry_has_an_example(name):
    assert all(row["example"] for row in Tables().rows(name))


@pytest.mark.parametrize("name", sorted(TABLES))
def test_the_comment_of_a_table_says_what_its_columns_are(name):
    text = (BUILT_IN / f"{name}.tsv").read_text()
    comment = text.partition(f"\n{TABLES[name].key[0]}\t")[0]
    for column in Tables().rows(name)[0].cells if name != "protect" else ["word", "example"]:
        assert re.search(rf"^# {column}\b", comment, re.MULTILINE), column


@pytest.mark.parametrize(
    ("table", "lines", "where", "problem"),
    [
        ("nouns", ["wombat|small animal"], 3, "the column 'use' is empty"),
        ("nouns", ["wombat|small beast|either"], 3, "not in families.tsv; got small beast"),
        ("nouns", ["wombat|small animal|sometimes"], 3, "an unknown word in the column 'use'"),
        ("nouns", ["wombat|small animal|either||kitty"], 3, "not in nouns.tsv; got kitty"),
        ("nouns", ["wombat|small animal|either||couch"], 3, "no synonym of its family"),
        ("nouns", ["wombat|small animal|either|||soft"], 3, "column 'traits'; got soft"),
        ("nouns", ["wombat|small animal|either|||on,,in"], 3, "an empty item in the column"),
        ("nouns", ["wombat|small animal|either|cats"], 3, "a form of another noun, at"),
        ("nouns", ["wombat|small animal|either"] * 2, 4, "an entry that is at"),
        ("nouns", ["wombat|a|b|c|d|e|f|g|h"], 3, "more cells than columns"),
        ("nouns", ["-wombat"], 3, "there is no such entry to remove; got wombat"),
        ("families", ["tool|thing|9"], 3, "an unknown word in the column 'rank'; got 9"),
        ("families", ["tool|things|4"], 3, "an unknown word in the column 'nature'"),
        ("noun_classes", ["mount|wombat"], 3, "not in nouns.tsv; got wombat"),
        ("noun_classes", ["mount|:marsupial"], 3, "not in families.tsv; got marsupial"),
        ("stand_ins", ["cat|wombat"], 3, "not in nouns.tsv; got wombat"),
        ("verbs", ["totter|stroll"], 3, "not in verbs.tsv; got stroll"),
        ("verbs", ["totter|walk||slow"], 3, "column 'traits'; got slow"),
        ("actions", ["human|walk||run", "human|walk|@road|go"], 4, "a rule that is never reached"),
        ("actions", ["human|walk|@water|swim"], 3, "not in noun_classes.tsv; got water"),
        ("actions", ["human|look up||look down"], 3, "an action replaced by its own verb"),
        ("actions", ["human|walk|@wave|"], 3, "the column 'instead' is empty"),
        ("actions", ["wombat|walk||swim"], 3, "not in noun_classes.tsv; got wombat"),
        ("colors", ["mauve|violet"], 3, "not in colors.tsv; got violet"),
        ("colors", ["mauve||lilac"], 3, "not in colors.tsv; got lilac"),
        ("color_names", ["mauve|bean"], 3, "not in colors.tsv; got mauve"),
        ("color_ranges", [":fish|red"], 3, "not in families.tsv; got fish"),
        ("color_ranges", ["<fish>|red"], 3, "not a class of words.tsv; got <fish>"),
        ("sizes", ["teeny|vast|tiny"], 3, "an unknown word in the column 'look'; got tiny"),
        ("attributes", ["bamboo|material|oak"], 3, "not in attributes.tsv; got oak"),
        ("attributes", ["bamboo|material|old"], 3, "alike, but of another class; got old"),
        ("states", ["ripe||raw", "ripe|banana|raw"], 4, "a rule that is never reached"),
        ("placements", ["cave|in|on"], 3, "not in noun_classes.tsv; got cave"),
        ("placements", ["support|amid|on"], 3, "not in relations.tsv; got amid"),
        ("flips", ["amid||<fish>|around"], 3, "not a class of words.tsv; got <fish>"),
        ("flips", ["amid||a\\|\\|b|around"], 3, "an empty alternative"),
        ("numbers", ["a dozen|12"], 3, "an unknown word in the column 'number'; got 12"),
    ],
)  # fmt: skip
def test_a_fault_names_its_file_and_line(words, tmp_path, table, lines, where, problem):
    with pytest.raises(HnclipError) as failed:
        words(**{table: [line.replace("\\|", "\0") for line in lines]})
    assert str(failed.value).startswith(f"{tmp_path / table}.tsv:{where}: ")
    assert problem in str(failed.value)


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        ("word example\nhot dog\n", 1, "not the columns of this table; got word example"),
        ("example\tword\n", 1, "not the columns"),
        ("word\tword\n", 1, "not the columns"),
        ("word\tphrase\n", 1, "expected word, example; a tab between each two"),
        ("# mine\nword\n\xff\n", 3, "not UTF-8"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, text, where, problem):
    (tmp_path / "protect.tsv").write_bytes(text.encode("latin-1"))
    with pytest.raises(HnclipError) as failed:
        load_lexicon(tmp_path)
    assert str(failed.value).startswith(f"{tmp_path / 'protect.tsv'}:{where}: ")
    assert problem in str(failed.value)


def test_a_folder_holds_only_tables_that_there_are(tmp_path):
    (tmp_path / "noun.tsv").touch()
    with pytest.raises(HnclipError, match=r"noun.tsv: no table of this name; expected .*nouns"):
        load_lexicon(tmp_path)
    with pytest.raises(HnclipError, match="cannot read the folder of words: No such file"):
        load_lexicon(tmp_path / "none")


def test_entries_are_added_behind_the_others(words):
    lexicon = words(nouns=["wombat|small animal|either"], words=["sport|curling"])
    assert list(lexicon.nouns.forms)[-2:] == ["wombat", "wombats"]
    assert lexicon.nouns.forms["wombats"] in lexicon.nouns.forms["cat"].rivals
    assert "curling" in lexicon.words["sport"] and "tennis" in lexicon.words["sport"]


def test_rules_are_added_before_the_others(words):
    rules = words(actions=["human|walk upon||dance on"]).verbs.rules["human", "walk"]
    assert rules[0].words == ("upon",) and rules[0].instead == ("dance on",)


def test_a_changed_entry_keeps_its_place(words):
    built_in = load_lexicon().nouns
    lexicon = words(nouns=["cat|small animal|neither|cattys"])
    assert lexicon.nouns.forms["cattys"].rivals == ()
    assert list(lexicon.nouns.forms).index("cat") == list(built_in.forms).index("cat")


def test_what_names_a_removed_entry_does_without(words):
    lexicon = words(nouns=["-horse"], families=["-toy"])
    assert "horse" not in lexicon.nouns.forms and "horses" not in lexicon.nouns.forms
    assert lexicon.nouns.forms["pony"].key == "large animal/horse"
    assert not any(noun.singular == "horse" for noun in lexicon.nouns.forms["person"].stand_ins)
    assert "doll" not in lexicon.nouns.forms
    with pytest.raises(HnclipError, match=r"stand_ins.tsv:3: not in nouns.tsv; got horse"):
        words(stand_ins=["cat|horse"])


def test_all_entries_that_begin_so_are_removed(words):
    lexicon = words(words=["-sport"], noun_classes=["-mount|camel"], states=["-old"])
    assert lexicon.words["sport"] == frozenset()
    assert not lexicon.nouns.classes["mount"].holds(lexicon.nouns.forms["camel"])
    assert lexicon.nouns.classes["mount"].holds(lexicon.nouns.forms["horse"])
    assert "old" not in lexicon.attributes.states and "older" in lexicon.attributes.states


def test_a_table_may_leave_out_columns_and_be_written_by_windows(tmp_path):
    text = "\ufeff# mine\r\nnoun\tfamily\tuse\r\n\r\nwombat\tsmall animal\teither\r\n"
    (tmp_path / "nouns.tsv").write_text(text, newline="")
    assert load_lexicon(tmp_path).nouns.forms["wombat"].plural == "wombats"


def test_words_are_protected_wherever_they_stand(parser, words):
    lexicon = words(protect=["hot dog", "cat"])
    assert [m.group() for m in lexicon.protected.finditer("A Hot Dog, a category, a cat")] == [
        "Hot Dog", "cat",
    ]  # fmt: skip
    assert load_lexicon().protected is None


def test_one_lexicon_leaves_the_other_alone(words):
    words(nouns=["wombat|small animal|either"], colors=["-red"])
    assert "wombat" not in load_lexicon().nouns.forms
    assert "red" in load_lexicon().attributes.looks and load_lexicon() is load_lexicon()


def test_a_lexicon_goes_to_another_process_by_its_folder(words):
    lexicon = words(nouns=["wombat|small animal|either"])
    assert "wombat" in pickle.loads(pickle.dumps(lexicon)).nouns.forms
    assert pickle.loads(pickle.dumps(load_lexicon())) is load_lexicon()


def test_fixed_names_have_two_words_or_more(words):
    lexicon = words(fixed=["disc golf", "farmer's hat|farmer's hats", "-city street"])
    assert lexicon.fixed["disc"] == [("golf",)]
    assert lexicon.fixed["farmer"][:2] == [("'s", "market"), ("'s", "markets")]
    assert ("'s", "hats") in lexicon.fixed["farmer"]
    assert ("street",) not in lexicon.fixed["city"]
    with pytest.raises(HnclipError, match="a name of one word; got disc, expected two or more"):
        words(fixed=["disc"])
