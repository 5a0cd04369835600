"""Input and output: records, JSONL, NPY, images, shards, URLs, files, decoders."""
