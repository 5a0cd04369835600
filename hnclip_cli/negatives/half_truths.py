"""Half-truths: a true part of a caption, and the same part with a wrong addition.

Source: CS-CLIP (arXiv:2602.23906). An anchor A is a true part of what an image shows, a half-truth
H is A and something false, the full truth F is A and something true. A model that reads what a
text says has s(F) > s(A) > s(H); CLIP often likes H better than A, because it names more.

A negative says what is false. Where it changes a thing, the half-truth names that thing beside A;
where it changes what stands between things, the half-truth is A with these words of the negative.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hnclip_cli.errors import InputError
from hnclip_cli.language.caption import TAGS, Caption
from hnclip_cli.language.parser import Parser
from hnclip_cli.negatives.analysis.nouns import Mention, mentions
from hnclip_cli.negatives.analysis.relations import SIDES
from hnclip_cli.negatives.analysis.scope import denied
from hnclip_cli.streams.edits import Edit, edits_of
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import Record, as_records
from hnclip_cli.streams.threads import chunked

ENTITY, RELATION = "entity", "relation"

_BATCH = 64  # captions that are tagged at a time
_DESCRIBING = ("JJ", "VBN", "NN", "HYPH", "RB")
_OPENING = ("DT", "CD", "PRP$")
_RELATING = ("VB", "IN", "TO", "RP", "RB", "MD")
_SIDES = SIDES | {"middle"}
# Another clause begins.
_CLAUSES = {"while", "where", "as", "when", "who", "which", "that"}
_PLURAL_VERBS = ("VBP", "VBD", "MD")
_LISTING = {"and", ",", ", and", "&"}
# A phrase with one of these is not true alone, or says what only its sentence explains.
_UNFIT = {
    *("no", "each", "every", "any", "either", "neither", "another", "other", "others", "same"),
    *("such", "which", "what", "that", "his", "her", "its", "their", "my", "your", "our", "it's"),
}


class Half(NamedTuple):
    """Two texts of a caption: the first is true, the second adds something false to it."""

    anchor: str
    half: str
    type: str


class Phrase(NamedTuple):
    """A thing that a caption names, characters [start, end)."""

    start: int
    end: int
    mention: Mention
    is_opened: bool  # by an article or number, or it is several
    is_true: bool  # also alone, without the rest of the caption


def half_truths(
    records: Iterable[Mapping[str, Any]],
    *,
    policy: ErrorPolicy | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Iterator[dict[str, Any]]:
    """An item for each negative that has a half-truth.

    Args:
        records: in the short form, with ``negatives``.
        policy: what to do with a bad record; by default it is an error.
        note: called at the end with the number of records that gave none.

    Yields:
        Items with ``images``, the record's image, and ``captions``: the whole caption, a true
        part of it, and that part with a false addition. ``subset`` is ``entity`` or
        ``relation``; the tag ``kind`` is that of the negative.

    Raises:
        InputError: a bad record, unless the policy skips it.
        HnclipError: no English spaCy pipeline is installed.
    """
    policy = policy or ErrorPolicy()
    parser = Parser(TAGS)
    num_records = num_barren = 0
    for batch in chunked(_usable(records, policy), _BATCH):
        captions = parser.parse([record.caption for record in batch])
        for record, caption in zip(batch, captions, strict=True):
            items = list(_items(record, caption))
            num_records += 1
            num_barren += not items
            yield from items
    if num_barren:
        note(f"{num_barren} of {num_records} records gave no half-truth")


def _usable(records: Iterable[Mapping[str, Any]], policy: ErrorPolicy) -> Iterator[Record]:
    for record in as_records(records):
        try:
            _ = record.image, record.id, record.group, edits_of(record)
            if "negatives" not in record:
                raise record.error('missing field "negatives"', hint="hnclip negatives first")
        except InputError as error:
            policy.bad(error)
        else:
            yield record


def _items(record: Record, caption: Caption) -> Iterator[dict[str, Any]]:
    found = phrases(caption)
    halves: set[Half] = set()
    for number, (negative, edits) in enumerate(
        zip(record.negatives, edits_of(record), strict=True)
    ):
        # Words in disorder are no sentence with something false in it.
        is_shuffled = negative.kind.startswith("shuffle-")
        half = None if is_shuffled else half_truth(caption, found, edits)
        if half is None or half in halves:
            continue
        halves.add(half)
        yield {
            "id": f"{record.id}/{number}",
            "images": [record.image],
            "captions": [record.caption, half.anchor, half.half],
            "truth": [[0, 0], [0, 1]],
            "ordered": True,
            "group": record.group,
            "subset": half.type,
            "tags": {"kind": negative.kind},
        }


def half_truth(caption: Caption, found: Sequence[Phrase], edits: list[Edit]) -> Half | None:
    """The half-truth of a negative, by its edits; None where it has none that is surely one.

    Args:
        caption: with tags.
        found: its `phrases`.
        edits: lead from the caption to the negative.
    """
    changed = [place for place, one in enumerate(found) if _touching(one, edits)]
    if len(changed) == 2 and changed[1] == changed[0] + 1:
        return _of_exchange(caption, found[changed[0]], found[changed[1]], edits)
    if len(changed) == 1:
        place = changed[0]
        return _of_thing(caption, found, place, edits) if _within(found[place], edits) else None
    return None if changed or not edits else _of_relation(caption, found, edits)


def phrases(caption: Caption) -> list[Phrase]:
    """The known things of a caption with their articles and adjectives, in order."""
    found: list[Phrase] = []
    scopes = denied(caption)
    for mention in mentions(caption):
        if mention.modifies or caption.tag(mention.stop).startswith(("NN", "POS")):
            continue
        if mention.noun.is_human and caption.lower(mention.stop) == "of":  # "a couple of birds"
            continue
        first = _first(caption, mention)
        start, end = caption.words[first].start, caption.words[mention.head].end
        if found and start < found[-1].end:
            continue
        lowers = {caption.lower(index) for index in range(first, mention.stop)}
        is_part = caption.lower(first - 1) == "of" and caption.lower(first - 2) in (
            caption.lexicon.nouns.forms
        )
        is_denied = any(start < stop and begin < end for begin, stop in scopes)
        is_true = not (is_part or is_denied or caption.tag(first - 1) == "POS" or lowers & _UNFIT)
        is_opened = mention.is_plural or caption.tag(first).startswith(_OPENING)
        found.append(Phrase(start, end, mention, is_opened, is_true))
    return found


def _first(caption: Caption, mention: Mention) -> int:
    """Where the phrase of a noun begins; "a black and white cat" is one."""
    first = caption.run_start(mention.first, _DESCRIBING)
    while caption.tag(first - 1) in ("CC", ",") and all(
        caption.tag(place).startswith("JJ") for place in (first - 2, first)
    ):
        first = caption.run_start(first - 1, _DESCRIBING)
    return caption.run_start(first, _OPENING)


def _of_thing(
    caption: Caption, found: Sequence[Phrase], place: int, edits: list[Edit]
) -> Half | None:
    """Another true thing and the changed one, by "and" where that can join them."""
    changed = found[place]
    text = _negative(caption, edits, changed.start, changed.end)
    if all(_keeps(caption.text[start:end].split(), new.split()) for start, end, new in edits):
        true = caption.text[changed.start : changed.end]
        return Half(true, text, ENTITY) if changed.is_true else None
    others = [*reversed(found[:place]), *found[place + 1 :]]
    anchor = next((one for one in others if one.is_true and _joins(one)), None)
    if anchor is None or not _joins(changed) or _needs_place(found, place):
        return _with_words(found[:place], caption, changed.end, edits, ENTITY)
    true = caption.text[anchor.start : anchor.end]
    if caption.starts_sentence(_word_at(caption, changed.start)) and not caption.text.isupper():
        text = text[:1].lower() + text[1:]
    return Half(true, f"{true} and {text}", ENTITY)


def _of_relation(caption: Caption, found: Sequence[Phrase], edits: list[Edit]) -> Half | None:
    """The thing before the changed words, with them and the thing behind."""
    start, end = min(edits)[0], max(edit[1] for edit in edits)
    before = [one for one in found if one.end <= start]
    words = [word for word in caption.words if start <= word.start < end]
    if any(word.tag.startswith("VB") for word in words):  # what is worn or held does not do it
        before = [one for one in before if one.mention.noun.is_animate] or before
    relates = start == end or any(
        (word.tag.startswith(_RELATING) and word.lower != "of") or word.lower in _SIDES
        for word in words
    )
    stops = [one.end for one in found if one.start >= end]
    stops += [w.start for w in caption.words if w.start > end and w.lower in _CLAUSES]
    whole = len(caption.text.rstrip(" .!"))
    stop = max(end, len(caption.text[: min([*stops, whole])].rstrip(" ,")))
    return _with_words(before, caption, stop, edits, RELATION if relates else ENTITY)


def _of_exchange(caption: Caption, one: Phrase, other: Phrase, edits: list[Edit]) -> Half | None:
    """Two things that have changed places: what now stands first is the true part."""
    texts = [caption.text[phrase.start : phrase.end].lower() for phrase in (one, other)]
    swapped = [_negative(caption, edits, phrase.start, phrase.end) for phrase in (one, other)]
    if [text.lower() for text in swapped] != texts[::-1] or not (one.is_true and other.is_true):
        return None
    return Half(swapped[0], _negative(caption, edits, one.start, other.end), RELATION)


def _with_words(
    before: Sequence[Phrase], caption: Caption, end: int, edits: list[Edit], type_: str
) -> Half | None:
    """The last thing before, up to there, with the negative's words behind it.

    Those who do something together stay together: "A man and a woman" who "are" posing.
    """
    place = next((i for i in reversed(range(len(before))) if not _is_worn(before[i])), -1)
    if place < 0:
        return None
    stop = before[place].end
    first = place
    is_subject = caption.tag(before[place].mention.stop) in _PLURAL_VERBS
    while is_subject and first and _between(caption, *before[first - 1 : first + 1]) in _LISTING:
        first -= 1
    if not all(one.is_true for one in before[first : place + 1]):
        return None
    start = before[first].start
    return Half(caption.text[start:stop], _negative(caption, edits, start, end), type_)


def _joins(phrase: Phrase) -> bool:
    """Whether "and" can stand beside it: not beside "frisbee", nor beside a place."""
    noun = phrase.mention.noun
    return phrase.is_opened and not (noun.is_place or noun.is_mass or _is_worn(phrase))


def _is_worn(phrase: Phrase) -> bool:
    return "worn" in phrase.mention.noun.family.traits


def _needs_place(found: Sequence[Phrase], place: int) -> bool:
    """Whether the changed thing is in a place, as a bed in a room."""
    return place > 0 and found[place - 1].mention.noun.is_place


def _between(caption: Caption, one: Phrase, other: Phrase) -> str:
    return caption.text[one.end : other.start].strip()


def _keeps(words: list[str], others: list[str]) -> bool:
    """Whether an edit only adds words, before or behind."""
    return words in (others[: len(words)], others[len(others) - len(words) :])


def _touching(phrase: Phrase, edits: list[Edit]) -> bool:
    return any(start < phrase.end and phrase.start < end for start, end, _ in edits)


def _within(phrase: Phrase, edits: list[Edit]) -> bool:
    return all(phrase.start <= start and end <= phrase.end for start, end, _ in edits)


def _negative(caption: Caption, edits: list[Edit], start: int, end: int) -> str:
    """What stands in the negative for characters [start, end) of the caption."""
    pieces = []
    for first, stop, text in sorted(edits):
        if start <= first and stop <= end:
            pieces += [caption.text[start:first], text]
            start = stop
    return "".join([*pieces, caption.text[start:end]])


def _word_at(caption: Caption, start: int) -> int:
    return next(index for index, word in enumerate(caption.words) if word.start == start)
