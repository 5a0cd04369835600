#!/usr/bin/env bash
# A recipe with its training on Slurm:
#
#   NODES=2 GPUS=8 bash examples/recipes/slurm.sh ce-clip CAPTIONS IMAGES FOLDER [flags of train]
#
# Records and negatives are made where this is called. Training is one job (slurm/train.sbatch),
# measuring a second that waits for it. The paper's batch is shared by all GPUs, so the result does
# not depend on their number. sbatch itself reads SBATCH_PARTITION, SBATCH_ACCOUNT and the like.
NODES=${NODES:-1}
GPUS=${GPUS:-4} # of each node
TIME=${TIME:-04:00:00}
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export SUBMIT="sbatch --parsable --nodes=$NODES --ntasks-per-node=$GPUS --gpus-per-node=$GPUS --time=$TIME"
exec bash "$here/$1.sh" "${@:2}"
