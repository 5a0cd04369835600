import io
import socket
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.streams import images, remote
from hnclip_cli.streams.decoders import Decoders
from hnclip_cli.streams.images import ImageRoot, check_image, image_root_of, load_image
from hnclip_cli.streams.records import Record
from hnclip_cli.streams.remote import Private, check_public

fsspec = pytest.importorskip("fsspec")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
fetch = partial(remote.fetch, private=True)
RECORD = Record({}, "x.jsonl", 4)
REMOTE = ImageRoot(".", remote=True, private=True)


def png(width=6):
    stream = io.BytesIO()
    Image.new("RGB", (width, 1)).save(stream, "png")
    return stream.getvalue()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.partition("?")[0]
        self.server.requests.append(self.path)
        failures = self.server.failures.get(path, 0)
        if failures:
            self.server.failures[path] -= 1
        if path == "/slow.png":
            time.sleep(2)
        if path == "/endless.png":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(bytes(1 << 16))
            except OSError:
                return
        known = {"/a.png": png(), "/moody.png": png(), "/slow.png": png(), "/text.png": b"no"}
        status = 503 if failures else 200 if path in known else int(path[1:4])
        body = known.get(path, b"")
        self.send_response(status)
        if path == "/302.png":
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    pytest.importorskip("aiohttp")
    monkeypatch.setattr(remote, "PAUSE", 0.01)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.requests, server.failures, server.location = [], {}, "/a.png"
        server.daemon_threads = True
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def dripping():
    """Makes a server that answers with something, and then sends something again and again."""
    pytest.importorskip("aiohttp")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip(connection, first, then):
            try:
                connection.sendall(first)
                while True:
                    connection.sendall(then)
                    time.sleep(0.01)
            except OSError:
                pass

        def serve(first, then):
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=drip, args=(connection, first, then), daemon=True).start()

        def start(first, then):
            threading.Thread(target=serve, args=(first, then), daemon=True).start()
            return f"http://127.0.0.1:{listening.getsockname()[1]}/a.png"

        yield start


def test_an_image_is_loaded_from_a_server_with_one_request(server):
    assert load_image(RECORD, f"{server.url}/a.png", REMOTE).size == (6, 1)
    assert server.requests == ["/a.png"]


def test_processes_fetch_too_and_only_when_allowed(server):
    with Decoders(REMOTE, workers=1) as pool:
        assert pool(RECORD, f"{server.url}/a.png").size == (6, 1)
        with pytest.raises(InputError, match="image not found"):
            pool(RECORD, f"{server.url}/404.png")
    with (
        Decoders(".", workers=1) as pool,
        pytest.raises(InputError, match="fetches nothing"),
    ):
        pool(RECORD, f"{server.url}/a.png")
    assert server.requests == ["/a.png", "/404.png"]


def test_redirects_are_followed(server):
    assert fetch(f"{server.url}/302.png", 1000) == png()


def test_a_failure_that_passes_is_tried_again(server):
    server.failures["/moody.png"] = 2
    assert fetch(f"{server.url}/moody.png", 1000) == png()
    assert len(server.requests) == 3


@pytest.mark.parametrize(("status", "attempts"), [(503, 3), (500, 3), (403, 1), (410, 1)])
def test_a_failure_is_named_after_a_bounded_number_of_attempts(server, status, attempts):
    with pytest.raises(HnclipError, match=rf"cannot be fetched \(HTTP status {status}\)"):
        fetch(f"{server.url}/{status}.png", 1000)
    assert len(server.requests) == attempts


def test_a_missing_image_is_asked_for_once(server):
    with pytest.raises(InputError, match=r"^x\.jsonl:4: image not found; got 'http://127"):
        load_image(RECORD, f"{server.url}/404.png", REMOTE)
    assert len(server.requests) == 1


def test_what_is_no_image_is_an_input_error(server):
    with pytest.raises(InputError, match="image cannot be decoded"):
        load_image(RECORD, f"{server.url}/text.png", REMOTE)


def test_a_slow_server_is_given_up(server, monkeypatch):
    monkeypatch.setattr(remote, "TIMEOUT", 0.2)
    with pytest.raises(HnclipError, match=r"cannot be fetched \(TimeoutError\)"):
        fetch(f"{server.url}/slow.png", 1000)


def test_a_server_without_an_end_is_cut_off(server):
    with pytest.raises(HnclipError, match=r"image is too large; got 'http.*expected at most 5000"):
        fetch(f"{server.url}/endless.png", 5000)


def test_nobody_there_is_an_error(server):
    with pytest.raises(HnclipError, match="cannot be fetched"):
        fetch("http://127.0.0.1:1/a.png", 1000)


@pytest.mark.parametrize("path", ["404.png", "403.png", "503.png", "text.png", "endless.png"])
def test_no_message_holds_credentials(server, path, monkeypatch):
    monkeypatch.setattr(images, "MAX_BYTES", 5000)
    url = server.url.replace("//", "//user:hidden@") + f"/{path}?signature=hidden#hidden"
    with pytest.raises(InputError) as found:
        load_image(RECORD, url, REMOTE)
    assert "hidden" not in str(found.value) and "user" not in str(found.value)
    assert f"127.0.0.1:{server.server_port}/{path}" in str(found.value)


def test_credentials_reach_the_server(server):
    assert fetch(f"{server.url}/a.png?signature=x%2Fy", 1000) == png()
    assert server.requests == ["/a.png?signature=x%2Fy"]


def test_any_protocol_of_fsspec_is_read():
    files = fsspec.filesystem("memory")
    files.pipe("/folder/a.png", png(9))
    try:
        assert load_image(RECORD, "memory://folder/a.png", REMOTE).size == (9, 1)
        with pytest.raises(InputError, match=r"image not found; got 'memory://folder/b.png'"):
            load_image(RECORD, "memory://folder/b.png", REMOTE)
        with pytest.raises(HnclipError, match="too large"):
            fetch("memory://folder/a.png", 10)
    finally:
        files.rm("/folder", recursive=True)


def test_relative_names_start_beside_records_that_are_remote():
    root = image_root_of("memory://folder/records.jsonl", None, remote=True)
    files = fsspec.filesystem("memory")
    files.pipe("/folder/images/a.png", png(9))
    try:
        assert load_image(RECORD, "images/a.png", root).size == (9, 1)
        with pytest.raises(InputError, match="image leaves its folder"):
            load_image(RECORD, "../secret.png", root)
        with pytest.raises(InputError, match="fetches nothing"):
            load_image(RECORD, "images/a.png", ImageRoot(root.folder))
    finally:
        files.rm("/folder", recursive=True)


def test_a_file_url_is_read_with_the_care_of_a_path(tmp_path):
    (tmp_path / "a.png").write_bytes(png(9))
    assert load_image(RECORD, f"file://{tmp_path}/a.png", REMOTE).size == (9, 1)
    with pytest.raises(InputError, match="not a file; got a device"):
        load_image(RECORD, "file:///dev/zero", REMOTE)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nothing://a.png", r"image cannot be fetched \(ValueError\)"),
        ("s3://bucket/a.png", r"a package for this protocol is missing \(.*s3fs"),
        ("simplecache::https://x.org/a.png", "a chain of URLs"),
        ("https://x.org/a.tar::b.png", "a chain of URLs"),
    ],
)
def test_what_cannot_be_fetched_is_named(url, message, monkeypatch):
    import sys

    from fsspec.registry import _registry

    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(_registry, "s3", raising=False)  # of a test before
    with pytest.raises(InputError, match=message):
        load_image(RECORD, url, REMOTE)


def test_checking_an_image_asks_no_server():
    check_image(RECORD, "https://example.invalid/a.png", REMOTE)


@pytest.mark.parametrize("first, then", [(b"HTTP/1.1 200 OK\r\nX: ", b"x"), (b"", CONTINUE)])
def test_a_header_that_drips_does_not_hold_up_a_run(dripping, monkeypatch, first, then):
    monkeypatch.setattr(remote, "TIMEOUT", 0.3)
    monkeypatch.setattr(remote, "DEADLINE", 0.5)
    started = time.monotonic()
    with pytest.raises(HnclipError, match="image cannot be fetched"):
        fetch(dripping(first, then), 1000)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
     "224.0.0.1", "::1", "::", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1",
     "2002:7f00:1::"],
)  # fmt: skip
def test_private_addresses(address):
    with pytest.raises(Private):
        check_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "64:ff9b::808:808"])
def test_public_addresses(address):
    check_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f000001"])
def test_private_addresses_are_asked_only_where_the_user_says_so(server, host):
    url = server.url.replace("127.0.0.1", host)
    with pytest.raises(InputError, match=r"image is at a private address.* try --private-images"):
        load_image(RECORD, f"{url}/a.png", ImageRoot(".", remote=True))
    with pytest.raises(InputError, match="private address"):
        load_image(RECORD, f"ftp://{host}/a.png", ImageRoot(".", remote=True))
    assert not server.requests


def test_a_redirect_to_a_private_address_is_not_followed(server, monkeypatch):
    def pretend(address):
        if address != "127.0.0.1":
            raise Private

    monkeypatch.setattr(remote, "check_public", pretend)
    assert remote.fetch(f"{server.url}/302.png", 1000) == png()
    server.location = server.url.replace("127.0.0.1", "127.0.0.2") + "/a.png"
    with pytest.raises(HnclipError, match="image is at a private address, or redirected to one"):
        remote.fetch(f"{server.url}/302.png", 1000)
    assert server.requests == ["/302.png", "/a.png", "/302.png"]
