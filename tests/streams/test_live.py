import io
import os

from hnclip_cli.streams.jsonl import RecordReader
from hnclip_cli.streams.live import watched


def test_each_read_waits_until_the_file_may_be_read():
    reading, writing = os.pipe()
    os.write(writing, b'{"n":1}\n')
    os.close(writing)
    asked = []

    def wait(file):
        asked.append(file)
        return len(asked) % 3 == 0

    with open(reading, "rb") as stream:
        assert [dict(record) for record in RecordReader(watched(stream, wait))] == [{"n": 1}]
    assert asked == [reading] * 6  # the line, and the end


def test_a_stream_that_is_no_file_is_left_as_it_is():
    stream = io.BytesIO()
    assert watched(stream, lambda _: False) is stream
