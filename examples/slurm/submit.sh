#!/usr/bin/env bash
# From captions to a trained model and its embeddings, each stage a job that waits for the last one:
#
#   SHARDS=64 NODES=4 GPUS=8 bash examples/slurm/submit.sh captions.jsonl out/ \
#       --model ViT-B-32 --pretrained openai --epochs 5 --batch-size 4096
#
# What follows the captions and the folder goes to hnclip train. The folder gets negatives.jsonl,
# run/ (the model), run.log.jsonl, images.npy, captions.npy, and what each job says. The same
# command again makes what is missing. sbatch itself reads SBATCH_ACCOUNT, SBATCH_PARTITION, ….
SHARDS=${SHARDS:-8}        # tasks of an array job
export CHUNKS=${CHUNKS:-4} # parts that a task makes one after the other: one is what a kill costs
NODES=${NODES:-2}          # for training
GPUS=${GPUS:-4}            # of each node; 0 for none
CPUS=${CPUS:-8}            # of each process
TIME=${TIME:-04:00:00}     # of a job, before it goes back to the queue
NEGATIVES=${NEGATIVES---units} # flags of hnclip negatives, as "--preset ce-clip"
EMBED=${EMBED:-}           # flags of hnclip embed, as "--dtype fp16"
export SETUP=${SETUP:-}    # a file that each job sources first, as .venv/bin/activate
set -euo pipefail
[ $# -ge 2 ] || { sed -n '4,5s/^# *//p' "$0" >&2 && exit 2; }
captions=$1 folder=${2%/}
shift 2
here=$(cd "$(dirname "$0")" && pwd)
images=$(cd "$(dirname "$captions")" && pwd)
mkdir -p "$folder"

# submit JOB FLAGS… SCRIPT ARGUMENTS…: a job after another one, or after none (""); says its id.
submit() {
    sbatch --parsable --time="$TIME" --cpus-per-task="$CPUS" --output="$folder/slurm-%x-%j.out" \
        ${1:+--dependency="afterok:$1" --kill-on-invalid-dep=yes} "${@:2}" | cut -d ';' -f 1
}

# array JOB GPUS INPUT OUTPUT COMMAND…: an array and the job that joins its parts; says its id.
array() {
    local after=$1 gpus=$2 tasks
    shift 2
    tasks=$(submit "$after" --gpus="$gpus" --array="0-$((SHARDS - 1))" "$here/array.sbatch" "$@")
    submit "$tasks" --cpus-per-task=1 "$here/join.sbatch" "$2" "$((SHARDS * CHUNKS))"
}

negatives=$(array "" 0 "$captions" "$folder/negatives.jsonl" negatives $NEGATIVES)
train=$(submit "$negatives" --nodes="$NODES" --ntasks-per-node="$((GPUS > 0 ? GPUS : 1))" \
    --gpus-per-node="$GPUS" "$here/train.sbatch" "$folder/negatives.jsonl" "$folder/run" \
    --image-root "$images" "$@")
for of in image caption; do
    embed=$(array "$train" "$((GPUS > 0))" "$folder/negatives.jsonl" "$folder/${of}s.npy" embed \
        --of "$of" --model "$folder/run" --image-root "$images" --resume $EMBED)
    echo "$folder/${of}s.npy will be there after job $embed"
done
