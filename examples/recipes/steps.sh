# The steps that the recipes share; each sources this file.
#
#   bash examples/recipes/RECIPE.sh CAPTIONS IMAGES FOLDER [flags of train]
#
# CAPTIONS is anything that `hnclip data captions` reads, IMAGES the folder of its images. FOLDER
# gets pairs.jsonl, negatives.jsonl, run/, log.jsonl and bench/. A file that is there is not made
# again, and training goes on where it stopped. Flags of train win over the paper's.
#
# In the environment:
#   MODEL        NAME,TAG, a folder that train wrote, or a NAME alone for random weights; the
#                paper's by default
#   BENCHMARKS   a folder as `hnclip data benchmark NAME --where` says; without it, none is measured
#   SUBMIT       how a job is sent off, which slurm.sh sets; without it, all runs here
#   HNCLIP       how hnclip is called where it is not on PATH, as "python -m hnclip_cli"
set -euo pipefail
[ $# -ge 3 ] || { sed -n 's/^# \?//; 3p' "${BASH_SOURCE[0]}" >&2 && exit 2; }
captions=$1 images=$(cd "$2" && pwd) folder=$3
shift 3
flags=" $* "
mkdir -p "$folder"
examples=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
model=(--model "${MODEL%%,*}")
if [[ $MODEL == *,* ]]; then model+=(--pretrained "${MODEL#*,}"); fi
jobs=()

hnclip() { command ${HNCLIP:-hnclip} "$@"; }

# once FILE COMMAND…: a command of hnclip that writes FILE of the folder.
once() { [ -e "$folder/$1" ] || hnclip "${@:2}" -o "$folder/$1"; }

# own FLAG VALUE…: settings of the recipe, but for those that are given.
own() { for ((i = 1; i < $#; i += 2)); do [[ $flags == *" ${!i} "* ]] || echo "${@:i:2}"; done; }

# train FILE FLAGS…: train on a file of the folder.
train() {
    local records=$folder/$1 run=$folder/run
    shift
    [[ $MODEL == *[,:]* || -d $MODEL ]] || set -- --from-scratch "$@"
    if [ "${SUBMIT:-}" ]; then
        jobs+=("$($SUBMIT "$examples/slurm/train.sbatch" "$records" "$run" "${model[@]}" "$@")")
    else
        hnclip train "${model[@]}" --resume "$@" -o "$run" "$records" >> "$folder/log.jsonl"
    fi
}

# measure < TABLE: measure the model, beside the one that it began with; then show what the paper
# has, which TABLE says.
measure() {
    local models=(--model "$folder/run")
    if [[ $MODEL == *,* || -d $MODEL ]]; then models=(--model "$MODEL" "${models[@]}"); fi
    local bench=(bench "${BENCHMARKS:-}" "${models[@]}" -o "$folder/bench")
    if [ -z "${BENCHMARKS:-}" ]; then
        echo "Nothing is measured: BENCHMARKS names no folder (docs/benchmarks.md)."
    elif [ "${SUBMIT:-}" ]; then
        sbatch --gpus=1 --dependency="afterok:${jobs[0]}" --wrap "${HNCLIP:-hnclip} ${bench[*]@Q}"
    else
        hnclip "${bench[@]}"
    fi
    echo
    cat
}
