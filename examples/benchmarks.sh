#!/usr/bin/env bash
# From the official files of SugarCrepe, SugarCrepe++ and ARO's COCO-Order to an HTML report.
#
#   bash examples/benchmarks.sh MODEL [MODEL]
#
# MODEL is what --model takes, with what belongs to it: run/ or "ViT-B-32 --pretrained openai".
# Into the working folder go, named after each model, the scored records, a table and a page; of
# two models also the page and table that compare them. Where the official files and the images
# lie can be set in the environment: SUGARCREPE, SUGARCREPE_PP, COCO_ORDER, IMAGES.
set -euo pipefail
if (($# < 1 || $# > 2)); then
    echo 'usage: bash examples/benchmarks.sh MODEL [MODEL]' >&2
    exit 2
fi
images=${IMAGES:-coco/images}
here=$(cd "$(dirname "$0")/.." && pwd)
if ! command -v "${HNCLIP:=$here/.venv/bin/hnclip}" > /dev/null; then HNCLIP=hnclip; fi
hnclip() { "$HNCLIP" "$@"; }

names=()
for model in "$@"; do
    read -ra words <<< "$model"
    name=$(basename "${words[0]}")
    names+=("$name")
    {
        hnclip data benchmark sugarcrepe "${SUGARCREPE:-sugarcrepe}" --images "$images" &&
        hnclip data benchmark sugarcrepe-pp "${SUGARCREPE_PP:-sugarcrepe-pp}" --images "$images" &&
        hnclip data benchmark aro-coco-order "${COCO_ORDER:-coco_karpathy_test.json}" --images "$images"
    } | hnclip score --model "${words[@]}" | tee "$name.scored.jsonl" |
        hnclip eval --blind --html "$name.html" --format table -o "$name.txt"
    echo "$name: $name.txt, $name.html"
done
if (($# == 2)); then
    hnclip compare "${names[0]}.scored.jsonl" "${names[1]}.scored.jsonl" \
        --html compare.html --format table -o compare.txt
    echo "both: compare.txt, compare.html"
fi
