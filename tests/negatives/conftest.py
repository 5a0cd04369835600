import pytest

from hnclip_cli.errors import HnclipError
from hnclip_cli.negatives.kinds import KINDS
from hnclip_cli.negatives.parsing import PHRASES
from hnclip_cli.negatives.pipeline import Parser
from hnclip_cli.negatives.rewriting import with_articles
from hnclip_cli.streams.edits import apply_edits


@pytest.fixture(scope="session")
def parser():
    try:
        return Parser(PHRASES)
    except HnclipError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def candidates(parser):
    """All negatives that a kind proposes for a caption."""

    def propose(kind, text):
        (caption,) = parser.parse([text])
        found = KINDS[kind].candidates(caption)
        if KINDS[kind].is_judged:
            found = [with_articles(caption, edits) for edits in found]
        return [apply_edits(text, edits) for edits in found]

    return propose
