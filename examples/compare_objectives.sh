#!/usr/bin/env bash
# Trains with every objective for the same time, over several seeds: one table, and one chart.
#
#   bash examples/compare_objectives.sh [OPTIONS]       (--help lists them)
#
# Sets itself up in .venv, unless HNCLIP in the environment says how an installed hnclip is called: a
# command, or "python -m hnclip_cli". PYTHON names the Python of one that is a shim. The default,
# 11 objectives and 5 seeds of drawn scenes, takes about an hour and a half on 2 CPU cores. On your own
# records and model:
#
#   bash examples/compare_objectives.sh --train train.jsonl --test test.jsonl --seconds 3600 \
#       --model ViT-B-32 --pretrained openai --lr 5e-6 --batch-size 256 --workers 8 --lanes 1
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
read -ra words <<< "${HNCLIP:=$here/.venv/bin/hnclip}"
if ! file=$(type -P "${words[0]}"); then
    echo "Setting up $here/.venv (once; PyTorch is large)"
    "${PYTHON:-python3}" -m venv "$here/.venv"
    "$here/.venv/bin/pip" install -q "$here[en]"
    file=$HNCLIP
fi
words[0]=$(realpath -s "$file")
if [ ${#words[@]} -gt 1 ]; then
    python=${words[0]}
else # as the first line of the script says that pip wrote
    python=$(sed -n '1s/^#! *\(.*python[0-9.]*\)$/\1/p' "$file")
fi
exec "${python:-${PYTHON:-python3}}" "$here/examples/compare_objectives.py" --hnclip "${words[*]@Q}" "$@"
