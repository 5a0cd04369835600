#!/usr/bin/env bash
# Trains with every objective for the same time, over several seeds: one table, and one chart.
#
#   bash examples/compare_objectives.sh [OPTIONS]       (--help lists them)
#
# Sets itself up in .venv, unless HNCLIP in the environment names an installed hnclip. The default,
# 11 objectives and 5 seeds of drawn scenes, takes about an hour and a half on 2 CPU cores. On your own
# records and model:
#
#   bash examples/compare_objectives.sh --train train.jsonl --test test.jsonl --seconds 3600 \
#       --model ViT-B-32 --pretrained openai --lr 5e-6 --batch-size 256 --workers 8 --lanes 1
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
if ! command -v "${HNCLIP:=$here/.venv/bin/hnclip}" > /dev/null; then
    echo "Setting up $here/.venv (once; PyTorch is large)"
    "${PYTHON:-python3}" -m venv "$here/.venv"
    "$here/.venv/bin/pip" install -q "$here[en]"
fi
python=$(dirname "$(command -v "$HNCLIP")")/python
exec "$python" "$here/examples/compare_objectives.py" "$@"
