"""English word forms: a or an, plurals, and letter case."""

import re
from functools import lru_cache

# Spelled with a vowel, spoken with a consonant: a uniform, a European, a one-way street.
_CONSONANT_SOUND = re.compile(
    r"uni(?!n|m|d|ss)|unanim|us[aeiu]|ut[aeio]|u(?![a-z])|urin|uran|uk[ur]|ubiq|uv(?![a-z])|ufo"
    r"|eu|ewe|ouija|on(?:es?|ce|etime)(?![a-z])"
)
# Spelled with a consonant, spoken with a vowel: an hour, an herb, an X-ray, an 8-year-old.
_VOWEL_SOUND = re.compile(
    r"hour|honest|hono|heir|herb(?![ie])|hors(?![a-z])|[fhlmnrsx](?![a-z])|8|1[18](?!\d)"
)
_LETTERS_WITH_VOWEL_SOUND = frozenset("AEFHILMNORSX")


@lru_cache(maxsize=1024)
def article(next_word: str) -> str:
    """``a`` or ``an``, by the sound the next word begins with."""
    letters = next_word.lstrip("\"'“‘(")
    if letters.isupper() and len(letters) <= 4 and letters.isalpha():  # read letter by letter
        return "an" if letters[0] in _LETTERS_WITH_VOWEL_SOUND else "a"
    word = letters.lower()
    if _VOWEL_SOUND.match(word):
        return "an"
    if _CONSONANT_SOUND.match(word):
        return "a"
    return "an" if word[:1] in set("aeiouàáâäèéêëìíîïòóôöùúûü") and word else "a"


def with_s(word: str) -> str:
    """A word with its regular ending -s: cats, buses, puppies."""
    if re.search(r"(s|x|z|ch|sh)$", word):
        return word + "es"
    return word[:-1] + "ies" if re.search(r"[^aeiou]y$", word) else word + "s"


def plural(noun: str) -> str:
    """The regular plural of a noun."""
    is_man = noun.endswith("man") and noun != "human"
    return noun[:-3] + "men" if is_man else with_s(noun)


def capitalize(text: str) -> str:
    """Upper-case the first letter only."""
    return text[:1].upper() + text[1:]


def lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def cased_like(text: str, pattern: str) -> str:
    """Give lower-case text the case of the words it stands for."""
    if pattern.islower():
        return text
    letters = [letter for letter in pattern if letter.isalpha()]
    if len(letters) > 1 and all(letter.isupper() for letter in letters):
        return text.upper()
    parts = pattern.split()
    if len(parts) > 1 and all(part[:1].isupper() for part in parts):
        return " ".join(capitalize(part) for part in text.split(" "))
    if len(parts) > 1 and len(parts[0]) > 1 and parts[0].isupper():  # "STOP sign"
        return text
    return capitalize(text) if pattern[:1].isupper() else text
