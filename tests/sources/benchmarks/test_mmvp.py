import pytest

from hnclip_cli.errors import InputError

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


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS + "3,Text,alone\n", "item '2': the last row has no partner"),
        (ROWS.replace("2,", "two,"), "item '1': field \"Question ID\" is no number"),
        (ROWS.replace("The dog faces right", ""), "item '1': field \"Statement\" is empty"),
        (ROWS.replace("Orientation", "../images"), "item '1': image leaves its folder"),
    ],
)
def test_a_bad_pair_is_named(folder, rows, message):
    folder.write("Questions.csv", HEADER + rows)
    with pytest.raises(InputError) as raised:
        folder.read("mmvp")
    assert str(raised.value).startswith(f"{folder.path}/Questions.csv: {message}")
