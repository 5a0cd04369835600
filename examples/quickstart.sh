#!/usr/bin/env bash
# Trains the built-in model on drawn scenes, with and without hard negatives, and compares.
#
#   bash examples/quickstart.sh [FOLDER]        (FOLDER: quickstart-run)
#
# Sets itself up in .venv, then takes under 3 minutes on 2 CPU cores, and uses CUDA where there
# is one. A first phase with the objective clip is shared; then clip and ce-clip go on from it,
# side by side, for the same wall-clock time on half of the cores each. The test scenes show only
# combinations of color and shape that training never shows. SEED, FIRST_SECONDS, SECONDS_EACH and
# OBJECTIVES can be set in the environment.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
run=${1:-quickstart-run}
seed=${SEED:-0}
first=${FIRST_SECONDS:-12} each=${SECONDS_EACH:-95}
read -ra objectives <<< "${OBJECTIVES:-clip ce-clip}"

if ! command -v "${HNCLIP:=$here/.venv/bin/hnclip}" > /dev/null; then
    echo "Setting up $here/.venv (once; PyTorch is large)"
    "${PYTHON:-python3}" -m venv "$here/.venv"
    "$here/.venv/bin/pip" install -q "$here[en]"
fi
hnclip() { command "$HNCLIP" "$@"; }
jobs=()
join() { for job in "${jobs[@]}"; do wait "$job"; done && jobs=(); }
started=$SECONDS
say() { printf '%4d s  %s\n' $((SECONDS - started)) "$*"; }
mkdir -p "$run"
cd "$run"

say "drawing scenes, writing their hard negatives"
kinds=(--kind swap-adjective --kind swap-noun --kind swap-noun-phrase --kind flip-relation)
hnclip data scenes train -n 6000 --max-objects 2 --seed "$seed" > scenes.jsonl
hnclip data scenes test -n 600 --max-objects 2 --seed "$seed" --split test |
    hnclip negatives "${kinds[@]}" --kind replace-color --kind replace-noun --kind replace-size \
        > test.jsonl & jobs+=($!)
for part in 0 1; do
    hnclip negatives "${kinds[@]}" --shard $part/2 scenes.jsonl -o train-$part.jsonl & jobs+=($!)
done
join
cat train-0.jsonl train-1.jsonl > train.jsonl

say "training: $first s of clip, then $each s of each of ${objectives[*]}, side by side"
train() { hnclip train --overwrite --seed "$seed" --lr 1e-3 --warmup-steps 20 "$@" train.jsonl; }
train --model hnclip-tiny --objective clip --seconds "$first" -o first > first.log.jsonl
export OMP_NUM_THREADS=$((($(nproc) + 1) / 2))
for objective in "${objectives[@]}"; do
    train --model first --objective $objective --negatives-per-caption 2 --batch-size 32 \
        --workers 1 --seconds "$each" -o $objective > $objective.log.jsonl & jobs+=($!)
done
join
unset OMP_NUM_THREADS

say "scoring the test scenes"
for model in "${objectives[@]}"; do
    for of in image caption negatives; do
        hnclip embed --of $of --model $model test.jsonl -o $model.$of.npy & jobs+=($!)
    done
    join
    hnclip score --image-embeddings $model.image.npy --caption-embeddings $model.caption.npy \
        --negative-embeddings $model.negatives.npy test.jsonl > $model.scored.jsonl
    hnclip eval --embeddings $model.image.npy $model.caption.npy \
        $model.scored.jsonl > $model.report.json
done

say "done"
"$(dirname "$(command -v "$HNCLIP")")/python" "$here/examples/side_by_side.py" "${objectives[@]}"
echo "
The images, records, checkpoints, scores and reports are in $PWD. To see more:
  $HNCLIP eval --format table $PWD/${objectives[-1]}.scored.jsonl"
