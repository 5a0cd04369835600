"""An object store on loopback, and what can go wrong with one."""

import threading
import time
from collections import deque

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUSY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


class _Quiet(WSGIRequestHandler):
    def log(self, *args):
        pass


class Store:
    """A store that speaks S3. ``failures`` are taken one a request: busy, slow, cut, or None.

    Attributes:
        requests: method, path and, where a part of a file is asked for, which.
        slow_seconds: how long a slow answer takes.
    """

    def __init__(self):
        self.failures, self.requests, self.slow_seconds = deque(), [], 1.0
        self._store = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(
            "127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": "known",
            "AWS_SECRET_ACCESS_KEY": "hidden", "AWS_DEFAULT_REGION": "us-east-1",
        }  # fmt: skip
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ, start):
        part = environ.get("HTTP_RANGE", "")
        self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], part))
        failure = self.failures.popleft() if self.failures else None
        if failure == "busy":
            start("503 Slow Down", [("Content-Length", str(len(BUSY)))])
            return [BUSY]
        if failure == "slow":
            time.sleep(self.slow_seconds)
        answer = self._store(environ, start)
        return self._half(b"".join(answer)) if failure == "cut" else answer

    def _half(self, body):
        yield body[: len(body) // 2]
        raise ConnectionAbortedError  # the server's own loop closes the connection
