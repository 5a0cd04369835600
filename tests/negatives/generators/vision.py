"""Two vision-language models that look at the image: a strong one, and one that knows no colors."""

import io
import json

from PIL import Image

from tests.negatives.generators.server import Reply, completion, written

STRONG, WEAK = "strong", "weak"
USAGE = {"prompt_tokens": 1000, "completion_tokens": 10}
RED_DOG = {"id": "7", "image": "red.png", "caption": "A red dog on a sofa."}
# What the strong model writes in each round: the second noun is harder than the first.
ROUNDS = (
    (("replace-noun", "A red cat on a sofa."), ("replace-color", "A blue dog on a sofa.")),
    (("replace-noun", "A red cow on a sofa."), ("replace-noun", "A red dog on a blanket.")),
)


def save_images(folder) -> None:
    for color in ("red", "blue"):
        Image.new("RGB", (2000, 1000), color).save(folder / f"{color}.png")


def talk(handler) -> Reply:
    """What the model that is asked answers, in its own manner."""
    is_strong = handler.question["model"] == STRONG
    answer = strong(handler) if is_strong else completion(weak(handler), usage=USAGE)
    return answer if isinstance(answer, tuple) else completion(answer, usage=USAGE)


def color_of(image: bytes) -> str:
    with Image.open(io.BytesIO(image), formats=["JPEG"]) as picture:
        assert max(picture.size) <= 768
        red, _, blue = picture.convert("RGB").resize((1, 1)).getpixel((0, 0))
    return "red" if red > blue else "blue"


def strong(handler) -> Reply | str:
    color = color_of(handler.image)
    asked = handler.asked
    if not asked:
        return f"A {color} dog lies on a sofa."
    if "kinds" in asked:
        assert asked["descriptions"] == {
            "yours": f"A {color} dog lies on a sofa.",
            "weaker": "A dog.",
        }
        return written(*ROUNDS[bool(asked["told apart"])])
    truth = f"{color} dog"
    said = {n: "Yes." if truth in text else "No." for n, text in asked.items()}
    return f"Sure!\n```json\n{json.dumps({'answers': said})}\n```"


def weak(handler) -> str:
    """It sees a dog, and a cow too; where it sees no difference it says A, as weak models do."""
    asked = handler.asked
    if not asked:
        return " A dog.\n"
    seen = [letter for letter, text in asked.items() if "dog" in text or "cow" in text]
    return f"The answer is {seen[0]}."
