"""Part I of N of a folder as clip-retrieval lays it out: what autofaiss and others read.

    python examples/clip_retrieval.py captions.jsonl folder 3/8 --model ViT-B-32 --pretrained openai

It writes img_emb/img_emb_3.npy, text_emb/text_emb_3.npy and metadata/metadata_3.parquet. Row i of
each is record i of the part; what follows the part goes to hnclip embed. Records have one image and
one caption. A part that was ended goes on where it was; parts may run side by side. Then

    hnclip search folder/text_emb folder/img_emb > found.jsonl
    autofaiss build_index --embeddings=folder/img_emb --index_path=knn.index
"""

import subprocess
import sys
from pathlib import Path

import pyarrow
from pyarrow import parquet

from hnclip_cli.streams.files import open_input_file
from hnclip_cli.streams.jsonl import RecordReader, Shard
from hnclip_cli.streams.outputs import atomic_output

SCHEMA = pyarrow.schema([(name, pyarrow.string()) for name in ("image_path", "caption", "id")])


def main(source: str, folder: str, part: str, *flags: str) -> None:
    index, count = map(int, part.split("/"))
    number = str(index).zfill(len(str(count)))  # names sort as the parts do
    for name, of in (("img_emb", "image"), ("text_emb", "caption")):
        rows = Path(folder, name, f"{name}_{number}.npy")
        rows.parent.mkdir(parents=True, exist_ok=True)
        command = ["hnclip", "embed", "--of", of, "--shard", part, "--resume", "-o", str(rows)]
        subprocess.run([*command, *flags, source], check=True)
    path = Path(folder, "metadata", f"metadata_{number}.parquet")
    path.parent.mkdir(exist_ok=True)
    with (
        open_input_file(source) as stream,
        atomic_output(str(path)) as out,
        parquet.ParquetWriter(out, SCHEMA) as writer,
    ):
        for records in RecordReader(stream, source, shard=Shard(index, count)).batches():
            table = [
                {"image_path": record.image, "caption": record.caption, "id": record.id}
                for record in records
            ]
            writer.write_table(pyarrow.Table.from_pylist(table, SCHEMA))


if __name__ == "__main__":
    main(*sys.argv[1:])
