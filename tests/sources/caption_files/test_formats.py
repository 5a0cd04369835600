import pytest

from hnclip_cli.sources.caption_files import caption_records
from hnclip_cli.sources.caption_files.formats import FORMATS
from hnclip_cli.sources.caption_files.recognizing import Head
from tests.sources.caption_files.examples import EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_data_set_is_recognized_and_gives_what_a_plain_script_reads(name, tmp_path):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    path = EXAMPLES[name].write(tmp_path)
    head = Head.of(str(path))
    assert next(name for name, one in FORMATS.items() if one.fits(head)) == EXAMPLES[name].format
    records = list(caption_records(str(path)))
    pairs = [(record.get("image", ""), record["caption"]) for record in records]
    assert pairs == EXAMPLES[name].pairs(path)
    assert len(pairs) > 4
    ids = [record["id"] for record in records if "id" in record]
    assert len(set(ids)) == len(ids)
