import io

import pytest

from hnclip_cli import saying
from hnclip_cli.errors import HnclipError
from hnclip_cli.saying import MAX_LINE, Printable, keep_secret, printable, shown

KEY = "sk-proj-0123456789/abc+d"


@pytest.fixture
def key(monkeypatch):
    for name in ("_secrets", "_beginnings"):
        monkeypatch.setattr(saying, name, set())
    keep_secret(KEY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\x9b2Jb\x07", r"a\x9b2Jb\x07"),
        ("gpj.\u202egnp", r"gpj.\u202egnp"),
        ("name\nhnclip: done", "name hnclip: done"),
        ("half \udcff a name", r"half \udcff a name"),
        ("a\0b", r"a\x00b"),
        ("größer, 猫", "größer, 猫"),
    ],
)
def test_a_terminal_is_not_told_what_to_do(text, expected):
    assert shown(text) == expected
    assert shown(shown(text)) == expected


def test_what_is_long_keeps_both_ends_and_costs_no_time():
    text = shown("a" * 30_000_000 + ".png", 20)
    assert text == "aaaaaaaaaa…aaaaa.png"
    assert len(str(HnclipError("x" * 10**6, where="y" * 10**6, got="z" * 10**6))) == MAX_LINE


@pytest.mark.parametrize(
    "text",
    [
        f"401 Invalid {KEY}",
        f"Bearer {KEY}, {KEY}",
        "?key=sk-proj-0123456789%2Fabc%2Bd&x",
        "only sk-proj-01234567 is left of it",
        "a" * 150 + KEY + "b" * 1000,  # where it is cut
        f"{KEY}\n{KEY[:15]}\x1b{KEY}",
    ],
)
def test_no_message_holds_a_secret(key, text):
    assert "0123" not in shown(text) and "0123" not in str(HnclipError("x", got=text))
    assert "…" in shown(text)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://user:secret@x.org:1/a?b#c", "https://x.org:1/a"),
        ("s3://bucket/a.png", "s3://bucket/a.png"),
        ("'https://[bad/secret'", "'https://[bad/secret'"),
        ("https://a@b:secret@x.org/a", "https://x.org/a"),
        ("to http://user:se/cret@x.org/a, 2 times", "to http://x.org/a, 2 times"),
        ("http://x.org:80/a@2x.png", "http://x.org:80/a@2x.png"),
        ('got \'{"image": "https://u:p@x.org/a?sig=1"}\'', 'got \'{"image": "https://x.org/a"}\''),
    ],
)
def test_urls_are_shown_without_credentials(url, expected):
    assert shown(url) == expected


def test_what_others_write_on_stderr_is_printable_line_by_line(key):
    stream = io.StringIO()
    stderr = Printable(stream)
    print("  in", KEY, "\x1b[0m", file=stderr)
    stderr.write("\r 10%")
    stderr.flush()
    stderr.write("\r 20%\n")
    assert stream.getvalue() == "  in … \\x1b[0m\n\r 10%\r 20%\n"


def test_a_stderr_that_is_full_or_closed_is_no_error():
    with open("/dev/full", "w") as full:
        print("x", file=Printable(full), flush=True)
        full.buffer.raw.close()
    closed = io.StringIO()
    closed.close()
    print("x", file=Printable(closed), flush=True)


def test_labels_keep_their_spaces():
    assert printable("a  b\n") == r"a  b\n"
