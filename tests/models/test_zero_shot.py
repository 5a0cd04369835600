import open_clip
import pytest

from hnclip_cli.models.zero_shot import class_prompts


@pytest.mark.parametrize(("templates", "count"), [("photo", 1), ("simple", 7), ("openai", 80)])
def test_each_class_has_a_prompt_of_each_template(templates, count):
    prompts = class_prompts(["tabby_cat", "dog"], templates)
    assert [len(of_class) for of_class in prompts] == [count, count]
    assert all("tabby cat" in prompt for prompt in prompts[0])


def test_the_default_is_one_plain_prompt():
    assert class_prompts(["dog"]) == [["a photo of a dog."]]


def test_the_prompts_are_those_of_open_clip():
    expected = [template("dog") for template in open_clip.OPENAI_IMAGENET_TEMPLATES]
    assert class_prompts(["dog"], "openai") == [expected]


def test_the_ids_of_imagenet_stand_for_its_names():
    ids = [f"n{number:08d}" for number in range(1000)]
    assert class_prompts(ids)[0] == ["a photo of a tench."]
    assert class_prompts(ids[:999])[0] == ["a photo of a n00000000."]
