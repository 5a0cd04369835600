import pytest

from hnclip_cli.errors import HnclipError, InputError

HEADER = "image,question,answer,base_question,correct_option,incorrect_option\n"
ROW = '000000000042.jpg,"What? A. red B. blue",A,What color is the shoe?,red,blue\n'


@pytest.fixture(autouse=True)
def photograph(folder):
    folder.image("000000000042.jpg")


def test_a_caption_is_the_question_and_an_answer(folder):
    folder.write("replace-att.csv", HEADER + ROW)
    (record,) = folder.read("conme")
    assert record["id"] == "conme/replace-att/1"
    assert record["caption"] == "What color is the shoe? red"
    assert record["negatives"] == [
        {
            "caption": "What color is the shoe? blue",
            "kind": "replace-att",
            "edits": [(24, 27, "blue")],
        }
    ]


@pytest.mark.parametrize("image", ["42", "000000000042", "000000000042.jpg"])
def test_an_image_is_given_by_its_file_or_its_coco_number(folder, image):
    folder.write("replace-rel.csv", HEADER + ROW.replace("000000000042.jpg", image))
    assert folder.names(folder.read("conme")[0]) == ["000000000042.jpg"]


def test_a_row_without_an_option_is_named(folder):
    folder.write("replace-obj.csv", HEADER + ROW.replace("blue\n", "\n"))
    with pytest.raises(InputError, match="item '1': field \"incorrect_option\" is empty"):
        folder.read("conme")


def test_the_filtered_files_are_of_another_form(folder):
    folder.write("replace-obj_HUMAN_FILTER.csv", "id,question,image,text_options\n")
    with pytest.raises(HnclipError, match="no official file in this folder"):
        folder.read("conme")
