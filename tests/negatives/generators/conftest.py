import pytest

from hnclip_cli.negatives.choosing import maker
from hnclip_cli.negatives.generators import waits, written
from tests.negatives.generators.server import ChatServer


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    """A proxy of the environment would stand between the tests and their server."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def one_parser(parser, monkeypatch):
    """spaCy is loaded once, and not for each maker."""
    monkeypatch.setattr(maker, "Parser", lambda level, lexicon: parser)
    monkeypatch.setattr(written, "Parser", lambda level, lexicon: parser)


@pytest.fixture
def quick(monkeypatch):
    """Without waiting long between attempts."""
    monkeypatch.setattr(waits, "FIRST_BACKOFF", 0.01)


@pytest.fixture
def serve():
    """Starts servers, which end with the test."""
    servers = []

    def start(behavior):
        server = ChatServer(behavior).__enter__()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.__exit__()


@pytest.fixture(scope="session")
def masked_folder(tmp_path_factory):
    """A folder with a tiny masked language model that knows a few hundred captions."""
    pytest.importorskip("transformers")
    from tests.negatives.generators import tiny_model

    folder = tmp_path_factory.mktemp("masked") / "model"
    tiny_model.save(folder)
    return folder
