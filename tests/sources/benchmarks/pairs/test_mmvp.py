import pytest

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.streams.jsonl import ErrorPolicy

HEADER = "Question ID,Type,Statement\n"
ROWS = "1,Orientation,The dog faces left\n2,Orientation,The dog faces right\n"


@pytest.fixture(autouse=True)
def images(folder):
    folder.image("Orientation/1.jpg", "Orientation/2.jpg")
    folder.image("MLLM_VLM Images/Text/3.jpg", "MLLM_VLM Images/Text/4.jpg")


def test_two_rows_are_a_pair_with_the_official_prompt(folder):
    folder.write("Questions.csv", HEADER + ROWS)
    (record,) = folder.read("mmvp")
    assert record["id"] == "mmvp/Orientation/1"
    assert record["captions"] == ["a photo of The dog faces left", "a photo of The dog faces right"]
    assert folder.names(record) == ["Orientation/1.jpg", "Orientation/2.jpg"]
    assert record["truth"] == [[0, 0], [1, 1]]
    assert record["tags"] == {"pattern": "Orientation"}


def test_the_images_may_lie_in_the_published_folder(folder):
    folder.write("Questions.csv", f'{HEADER}{ROWS}3,Text,"It says ""A"""\n4,Text,"It, says B"\n')
    second = folder.read("mmvp")[1]
    assert second["captions"] == ['a photo of It says "A"', "a photo of It, says B"]
    assert folder.names(second) == ["MLLM_VLM Images/Text/3.jpg", "MLLM_VLM Images/Text/4.jpg"]


def test_columns_are_known_by_their_place_and_must_be_three(folder):
    folder.write("Questions.csv", "lndex,Category,Caption\n" + ROWS)
    assert len(folder.read("mmvp")) == 1
    folder.write("Questions.csv", "Question ID,Statement\n" + ROWS)
    with pytest.raises(
        HnclipError, match="got the columns Question ID Statement, expected id type"
    ):
        folder.read("mmvp")


def test_a_bad_row_does_not_shift_the_pairs_behind_it(folder):
    bad = "1,Orientation,left,surplus\n2,Orientation,right\n"
    folder.write("Questions.csv", HEADER + bad + "3,Text,A\n4,Text,B\n")
    errors = []
    policy = ErrorPolicy("skip", errors.append)
    (record,) = folder.read("mmvp", policy=policy)
    assert record["captions"] == ["a photo of A", "a photo of B"]
    assert "item '1': more values than the header has columns" in str(errors[0])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS + "3,Text,alone\n", "item '3': the last row has no partner"),
        (ROWS.replace("2,", "two,"), "item '2': field \"id\" is no number"),
        (ROWS.replace("The dog faces right", ""), "item '2': field \"statement\" is empty"),
        (ROWS.replace("Orientation", "../images"), "item '1': image leaves its folder"),
    ],
)
def test_a_bad_pair_is_named(folder, rows, message):
    folder.write("Questions.csv", HEADER + rows)
    with pytest.raises(InputError) as raised:
        folder.read("mmvp")
    assert str(raised.value).startswith(f"{folder.path}/Questions.csv: {message}")
