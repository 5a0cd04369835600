"""Prompts for zero-shot classification, from the templates that open_clip brings."""

import re
from collections.abc import Sequence

_WORDNET_ID = re.compile(r"n\d{8}")


def class_prompts(classes: Sequence[str], templates: str = "photo") -> list[list[str]]:
    """The prompts of each class.

    Args:
        classes: class names; underscores become spaces. ImageNet's 1,000 WordNet ids, sorted,
            stand for the names that open_clip gives them.
        templates: ``photo`` is "a photo of a …." alone, ``simple`` open_clip's 7 templates,
            ``openai`` its 80.
    """
    import open_clip

    if len(classes) == len(open_clip.IMAGENET_CLASSNAMES) and all(
        map(_WORDNET_ID.fullmatch, classes)
    ):
        classes = open_clip.IMAGENET_CLASSNAMES
    chosen = {
        "photo": [lambda name: f"a photo of a {name}."],
        "simple": open_clip.SIMPLE_IMAGENET_TEMPLATES,
        "openai": open_clip.OPENAI_IMAGENET_TEMPLATES,
    }[templates]
    names = [" ".join(name.replace("_", " ").split()) for name in classes]
    return [[template(name) for template in chosen] for name in names]
