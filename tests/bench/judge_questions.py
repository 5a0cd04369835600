"""What the readers of tests/bench/judge.py are told and asked."""

from typing import NamedTuple

RULES = (
    "You see a photograph, a caption that is true of it, and a changed caption: the negative. "
    "Answer three questions about each negative; leave none out.",
    "Read the negative as a caption that a person could write of some photograph. Be strict but "
    "fair: take words in their usual sense, and seek no far-fetched reading to save or sink it.",
    "Faults that the true caption has already (spelling, grammar, a wrong word) do not count. "
    "Capitals and full stops were set for you, in all alike.",
)


class Question(NamedTuple):
    """What readers are asked, and for each answer what it means, with two examples."""

    text: str
    answers: dict[str, str]


QUESTIONS = {
    "truth": Question(
        "Is the negative false of this photograph? The photograph decides, not the caption.",
        {
            "false": "The photograph shows that a part of it is wrong. What it names must be "
            "there to be seen. 'A man on a red bus': the bus is blue. 'Three dogs on a bed': "
            "there are two.",
            "unclear": "The photograph does not show enough. 'A wooden spoon in a cup': the spoon "
            "is too small to tell. 'A man in a raincoat': one sees the person from behind.",
            "true": "It is right, or a fair person could argue that it is. 'A cup next to a "
            "laptop': the caption says near it. 'A large dog': the dog is of middling size.",
        },
    ),
    "form": Question(
        "Is it well written? Only the wording counts; what cannot be is the next question.",
        {
            "natural": "A person could write it just so. 'A cat asleep on a suitcase.' "
            "'Two men in suits are looking at a horse.'",
            "odd": "Grammatical, but no one would put it so. 'A man is riding in a surfboard.' "
            "'A dog sits with a dog near a dog.'",
            "broken": "Not grammatical, or one cannot tell what it says. 'A oranges lies in a "
            "bowl.' 'The man is standing under with a bat.'",
        },
    ),
    "sense": Question(
        "What does it take to reject it? Think of the negative alone, without the caption.",
        {
            "image": "The image: it could be true of another photograph, even of a rare one. "
            "'A woman feeds a giraffe.' 'A bus is parked on a beach.'",
            "text": "Common sense alone rejects it: such a thing does not happen. 'A zebra "
            "nursing from an adult woman.' 'A sandwich talks on a phone.'",
        },
    ),
}


def instructions() -> str:
    """All of it as text, for readers without the page."""
    lines = list(RULES)
    for name, question in QUESTIONS.items():
        lines.append(f"\n{name}: {question.text}")
        lines += [f"  {answer}: {meaning}" for answer, meaning in question.answers.items()]
    return "\n".join(lines)
