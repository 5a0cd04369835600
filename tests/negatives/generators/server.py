"""A chat completions server on this machine that answers well, badly, late or never."""

import base64
import json
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# From what a request asks to status, headers and body; or it does something else to the handler.
Reply = tuple[int, dict[str, str], bytes]
Behavior = Callable[["Handler"], Reply | None]


class Handler(BaseHTTPRequestHandler):
    """Notes each request and leaves the reply to the server's behavior."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # as servers do: else each answer waits 40 ms for the client

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.question = json.loads(body)
        self.asked, self.image = _read(self.question["messages"][-1]["content"])
        self.caption, self.kinds = self.asked.get("caption"), list(self.asked.get("kinds", ()))
        with self.server.lock:
            self.number = len(self.server.requests)
            self.server.requests.append((self.path, dict(self.headers), self.question))
        try:
            reply = self.server.behavior(self)
            if reply is not None:
                status, headers, content = reply
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):  # nobody waits for this reply any more
            self.close_connection = True

    def log_message(self, *_):
        pass


def _read(content):
    """The JSON that a question ends with, and its image; a server takes text or a list of parts."""
    if isinstance(content, str):
        return json.loads(content), None
    image, text = content
    assert (image["type"], text["type"]) == ("image_url", "text")
    head, encoded = image["image_url"]["url"].split(",")
    assert head == "data:image/jpeg;base64"
    _, _, asked = text["text"].rpartition("\n\n")
    is_bare = not asked.startswith("{")  # an instruction alone
    return {} if is_bare else json.loads(asked), base64.b64decode(encoded, validate=True)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64  # with 5, a connection among many at once may take seconds

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):  # the client is gone
            super().handle_error(request, client_address)


class ChatServer:
    """Runs for the time of a ``with`` block.

    Attributes:
        url: its address up to ``/v1``.
        requests: path, headers and question of each request, in order of arrival.
        over: set when the block ends, for behaviors that wait.
    """

    def __init__(self, behavior: Behavior) -> None:
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.behavior = behavior
        self._server.lock = threading.Lock()
        self._server.requests = self.requests = []
        self._server.over = self.over = threading.Event()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


def completion(text: object, finish_reason: str = "stop", usage: object = None, **more) -> Reply:
    """A chat completion that says this."""
    message = {"role": "assistant", "content": text, **more}
    reply = {"choices": [{"message": message, "finish_reason": finish_reason}]}
    if usage is not None:
        reply["usage"] = usage
    return 200, {"Content-Type": "application/json"}, json.dumps(reply).encode()


def complaint(status: int, words: str, **more: object) -> Reply:
    """A failure in the words of a server."""
    return status, {}, json.dumps({"error": {"message": words, **more}}).encode()


def written(*drafts: tuple[str, str]) -> Reply:
    """A chat completion with these negatives: kind and caption."""
    items = [{"kind": kind, "caption": caption} for kind, caption in drafts]
    return completion(json.dumps({"negatives": items}))


def failing(status: int, **headers: str) -> Reply:
    """A failure with headers such as ``Retry_After``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, named, b'{"error": {"message": "no luck"}}'


def good(handler: Handler) -> Reply:
    """Colors and nouns exchanged by a small table."""
    words = {"red": "blue", "blue": "green", "dog": "cat", "cat": "horse", "car": "bus"}
    drafts = []
    for kind, sort in (("replace-color", ("red", "blue")), ("replace-noun", ("dog", "cat", "car"))):
        for word in sort:
            if kind in handler.kinds and word in handler.caption:
                drafts.append((kind, handler.caption.replace(word, words[word])))
                break
    return written(*drafts)
