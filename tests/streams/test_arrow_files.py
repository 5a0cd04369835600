import pytest

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams import arrow_files
from hnclip_cli.streams.arrow_files import arrow_rows

ROWS = [{"caption": f"caption {n}", "n": n, "of": [{"a": n}]} for n in range(50)]


@pytest.fixture
def table():
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    return pyarrow.Table.from_pylist(ROWS)


def write(table, path, form):
    from pyarrow import ipc, parquet

    if form == "parquet":
        parquet.write_table(table, path, row_group_size=7)
        return
    new = ipc.new_file if form == "file" else ipc.new_stream
    with new(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=20)


@pytest.mark.parametrize("form", ["parquet", "file", "stream"])
def test_the_rows_of_each_form_are_those_written(table, tmp_path, form):
    write(table, tmp_path / "a", form)
    assert list(arrow_rows(str(tmp_path / "a"), lambda names: names)) == ROWS
    chosen = arrow_rows(str(tmp_path / "a"), lambda names: [name for name in names if name == "n"])
    assert list(chosen) == [{"n": n} for n in range(50)]


def test_what_is_no_regular_file_is_told(table, tmp_path):
    with pytest.raises(HnclipError, match="no such file"):
        list(arrow_rows(str(tmp_path / "none"), list))
    with pytest.raises(HnclipError, match="not a file; got a folder"):
        list(arrow_rows(str(tmp_path), list))


def test_a_size_beyond_all_memory_is_a_damage(table, tmp_path, monkeypatch):
    def batches(*given):
        raise MemoryError
        yield

    write(table, tmp_path / "a", "file")
    monkeypatch.setattr(arrow_files, "_batches", batches)
    with pytest.raises(HnclipError, match=r"a: broken parquet or Arrow file \(MemoryError\)"):
        list(arrow_rows(str(tmp_path / "a"), list))
