"""Negatives in parts on a Spark cluster: each partition goes through a pipe of its own.

    spark-submit --master spark://HOST:7077 examples/spark_pipe.py \\
        captions.jsonl negatives --per-caption 3
    cat negatives/part-* > negatives.jsonl

Needs `pip install pyspark` and Java here, and hnclip under the same PATH on every worker. What
follows the output folder goes to hnclip negatives. The parts joined have the bytes of one process,
whatever the number of partitions: a task that fails is run again, and its output counts once.
"""

import os
import shlex
import sys

from pyspark import SparkContext


def main(source: str, folder: str, *flags: str) -> None:
    context = SparkContext(appName="hnclip negatives")
    lines = context.textFile(source, context.defaultParallelism)
    command = shlex.join(["hnclip", "negatives", *flags])
    # A worker's process gets this environment alone; without checkCode an error would be no error.
    negatives = lines.pipe(command, env={"PATH": os.environ["PATH"]}, checkCode=True)
    negatives.saveAsTextFile(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
