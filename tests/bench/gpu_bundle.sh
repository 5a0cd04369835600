#!/usr/bin/env bash
# Makes the folder that tests/bench/gpu.sh needs on a machine without a network.
#
#   bash tests/bench/gpu_bundle.sh BUNDLE
#
# It holds this project as committed or changed, the Python packages that a machine with torch
# usually lacks (for Python 3.12 on x86-64), and captions with negatives, photographs and scenes.
# Captions and photographs come from HNCLIP_TEST_DATA (default ../shared/data).
set -euo pipefail
bundle=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")/../.."
data=${HNCLIP_TEST_DATA:-$(cd .. && pwd)/shared/data}
python=${PYTHON:-.venv/bin/python}
hnclip() { "$python" -m hnclip_cli "$@"; }

rm -rf "$bundle/project" "$bundle/site"
mkdir -p "$bundle/project" "$bundle/site" "$bundle/data"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$bundle/project"
"${PIP_PYTHON:-python3}" -m pip install -q --target "$bundle/site" --no-deps --no-compile \
    --only-binary=:all: --python-version 3.12 --implementation cp \
    --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 \
    open_clip_torch==3.3.0 ftfy orjson wcwidth

if [ ! -e "$bundle/data/scenes-test.jsonl" ]; then
    hnclip negatives --per-caption 4 "$data/coco/captions.jsonl" -o "$bundle/data/negatives.jsonl"
    # Paths start at the folder of the photographs.
    sed 's|"image":"images/|"image":"|; s|"image": "images/|"image": "|' "$data/coco/pairs.jsonl" |
        hnclip negatives --per-caption 4 -o "$bundle/data/pairs.jsonl"
    mkdir -p "$bundle/data/images"
    cp "$data"/coco/images/*.jpg "$bundle/data/images/"
    drawn=$(mktemp -d)
    here=$PWD
    common=(--max-objects 2 --image-size 32 --seed 0)
    kinds=(--kind swap-adjective --kind swap-noun --kind swap-noun-phrase --kind flip-relation)
    (
        cd "$drawn"
        export PYTHONPATH="$here"
        python=$(cd "$here" && realpath -s "$python")
        hnclip data scenes train -n 12000 "${common[@]}" | hnclip negatives --units "${kinds[@]}" > "$bundle/data/scenes-train.jsonl"
        hnclip data scenes test -n 600 "${common[@]}" --split test | hnclip negatives > "$bundle/data/scenes-test.jsonl"
    )
    rm -r "$drawn"
fi
du -sh "$bundle"
