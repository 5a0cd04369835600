"""The wire: records, JSONL, NPY, images, files."""
