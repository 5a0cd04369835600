import json
import shutil
import subprocess

import pytest

from hnclip_cli.errors import InputError
from hnclip_cli.streams.jsonl import ErrorPolicy
from tests.conftest import ROOT, to_lines

SVO_HEADER = (
    "sentence,pos_triplet,neg_triplet,pos_url,neg_url,pos_image_id,neg_image_id,"
    "subj_neg,verb_neg,obj_neg\n"
)


def svo_row(*flags, sentence="A man sits", images=(4, 1000)):
    urls = "http://a.example/a.jpg,http://b.example/b.jpg"
    numbers = ",".join(map(str, images))
    return f'{sentence},"man,sit,bench","man,run,bench",{urls},{numbers},{",".join(flags)}\n'


COMVG_HEADER = (
    "id,sentence,pos_triplet,neg_triplet,pos_image_id,neg_image_id,neg_value,sentence_id\n"
)
COMVG_ROW = "1,a man sits,\"man,sit,table\",\"('dog', 'sit', 'table')\",4,1000,{},215\n"


@pytest.fixture(autouse=True)
def images(folder):
    folder.image("4.jpg", "1000.png", "VG_100K_2/1000.jpg")


def test_a_row_is_a_sentence_with_its_image_and_another(folder):
    rows = [svo_row("True", "False", "False"), svo_row("False", "False", "True")]
    folder.write("svo_probes.csv", SVO_HEADER + "".join(rows))
    records = folder.read("svo-probes")
    assert [record["id"] for record in records] == ["svo-probes/subj/1", "svo-probes/obj/2"]
    assert folder.names(records[0]) == ["4.jpg", "1000.png"]
    assert (records[0]["captions"], records[0]["truth"]) == (["A man sits"], [[0, 0]])
    assert records[1]["tags"] == {"type": "obj"}
    assert records[0]["group"] == records[1]["group"] == records[0]["images"][0]


@pytest.mark.parametrize("flags", [("False",) * 3, ("True", "True", "False")])
def test_a_row_of_no_single_type_is_named(folder, flags):
    folder.write("svo_probes.csv", SVO_HEADER + svo_row(*flags))
    with pytest.raises(InputError, match="item '1': no single type of negative"):
        folder.read("svo-probes")


def test_rows_whose_image_is_dead_are_counted(folder):
    row = ("False", "True", "False")
    folder.write(
        "svo_probes.csv",
        SVO_HEADER + svo_row(*row, images=(4, 5)) + svo_row(*row) + svo_row(*row, images=("x", 4)),
    )
    policy = ErrorPolicy("skip")
    assert [record["id"] for record in folder.read("svo-probes", policy=policy)] == [
        "svo-probes/verb/2"
    ]
    assert policy.num_skipped == 2


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_the_decisions_of_a_sigmoid_are_what_the_notebook_reads():
    program = ROOT / "examples" / "svo_decisions.jq"
    records = [
        {"captions": ["A man  Sits"], "images": ["a/4.jpg", "a/1000.png"], "scores": [[1], [-1]]},
        {"captions": ["A man  Sits"], "images": ["a/4.jpg", "a/7.jpeg"], "scores": [[1], [0.5]]},
    ]
    command = ["jq", "-s", "-f", program]
    done = subprocess.run(command, input=to_lines(*records), capture_output=True)
    expected = {"a man sits|4": 1, "a man sits|1000": 0, "a man sits|7": 1}
    assert json.loads(done.stdout) == expected


def test_comvg_is_the_same_on_visual_genome(folder):
    folder.write("ComVG.csv", COMVG_HEADER + COMVG_ROW.format("subject"))
    (record,) = folder.read("comvg")
    assert folder.names(record) == ["4.jpg", "VG_100K_2/1000.jpg"]
    assert (record["id"], record["tags"]) == ("comvg/subject/1", {"type": "subject"})


def test_a_row_of_comvg_that_ends_early_is_named(folder):
    folder.write("ComVG.csv", COMVG_HEADER + "1,a man sits\n")
    with pytest.raises(InputError, match="item '1': field \"pos_image_id\" is no number; got None"):
        folder.read("comvg")
