import pytest

from hnclip_cli.errors import InputError

HEADER = "captions\timages\tneg_captions\tneg_images\n"
ROW = "a\t../../train_data/left_right/pos/7.jpg\tb\t../../train_data/left_right/neg/7.jpg\n"


def test_only_the_photograph_is_found_without_its_folder(folder):
    folder.write("test_left_right_.csv", HEADER + ROW)
    folder.image("flickr30k-images/7.jpg")
    with pytest.raises(InputError, match=r"item '1/neg': image not found.*left_right/neg/7\.jpg"):
        folder.read("countercurate")
    folder.image("left_right/neg/7.jpg")
    one, other = folder.read("countercurate")
    assert folder.names(one) + folder.names(other) == [
        "flickr30k-images/7.jpg", "left_right/neg/7.jpg",
    ]  # fmt: skip
    assert (one["caption"], other["caption"]) == ("a", "b")
    assert one["subset"] == "left_right"
