"""The generators, and which kinds each can make."""

from hnclip_cli.negatives.generators.prompt import INSTRUCTIONS
from hnclip_cli.negatives.kinds.registry import KINDS

# A masked language model replaces words, and the rules make the other kinds; a language model is
# asked for all but shuffled words, which take no understanding.
GENERATORS: dict[str, tuple[str, ...]] = {
    "mlm": tuple(KINDS),
    "http": tuple(kind for kind in KINDS if kind in INSTRUCTIONS),
}
