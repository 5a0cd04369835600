import pytest

from hnclip_cli.errors import HnclipError, InputError

NOTE = {"json": {"caption": "a dog, running"}, "sop_data": {"negative-prompt": "no dog, running"}}


def test_commas_leave_the_negated_caption_only(folder):
    folder.image("cc3m_subset_images_extracted_final/7.jpg")
    content = {"image_paths": ["/elsewhere/7.jpg"], "annotations": [NOTE], "num_ops": {}}
    folder.write("ccneg_preprocessed.json", content)
    (record,) = folder.read("cc-neg")
    assert record["caption"] == "a dog, running"
    assert record["negatives"][0]["caption"] == "no dog running"


def test_a_pickle_is_not_read_and_the_way_to_json_is_said(folder):
    (folder.path / "ccneg_preprocessed.pt").write_bytes(b"cos\nsystem\n")
    with pytest.raises(HnclipError, match=r"pickles are not read.*weights_only=True"):
        folder.read("cc-neg")


@pytest.mark.parametrize("content", [{}, {"image_paths": ["a"], "annotations": []}])
def test_lists_that_do_not_belong_together_are_no_official_file(folder, content):
    folder.write("ccneg_preprocessed.json", content)
    with pytest.raises(HnclipError, match=r"\.json: not the official lists; expected lists"):
        folder.read("cc-neg")


def test_an_entry_without_a_negation_is_named(folder):
    content = {"image_paths": ["7.jpg"], "annotations": [NOTE | {"sop_data": {}}]}
    folder.write("ccneg_preprocessed.json", content)
    with pytest.raises(InputError, match="item '0': missing field \"negative-prompt\""):
        folder.read("cc-neg")
