"""Fit a model of what goes with what, from captions."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.language.caption import TAGS, Caption
from hnclip_cli.language.parser import Parser
from hnclip_cli.language.usage import Usage
from hnclip_cli.lexicon import Lexicon, load_lexicon
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import as_records
from hnclip_cli.streams.threads import chunked

# Captions that are tagged at a time.
_BATCH = 256


def fit(
    records: Iterable[Mapping[str, Any]],
    *,
    words: Lexicon | str | None = None,
    policy: ErrorPolicy | None = None,
) -> Usage:
    """Count which words occur together in true captions, for `make_negatives`.

    Args:
        records: short records, or matching items whose ``captions`` are all true.
        words: a folder of tables that change the built-in ones, or what `load_lexicon` returned.
        policy: what to do with a bad record; by default it is an error.

    Raises:
        HnclipError: there is no caption, or no English spaCy pipeline is installed.
    """
    lexicon = words if isinstance(words, Lexicon) else load_lexicon(words)
    usage = Usage.fit(_captions(records, policy or ErrorPolicy(), lexicon), lexicon)
    if not usage.num_captions:
        raise HnclipError("no captions to fit a model from", expected="at least one record")
    return usage


def _captions(
    records: Iterable[Mapping[str, Any]], policy: ErrorPolicy, lexicon: Lexicon
) -> Iterator[Caption]:
    parser = Parser(TAGS, lexicon)
    for texts in chunked(_texts(records, policy), _BATCH):
        yield from parser.parse(texts)


def _texts(records: Iterable[Mapping[str, Any]], policy: ErrorPolicy) -> Iterator[str]:
    for record in as_records(records):
        try:
            captions = record.caption_list
        except InputError as error:
            policy.bad(error)
        else:
            yield from captions
