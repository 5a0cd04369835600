#!/usr/bin/env bash
# One machine without Slurm, a process for each GPU (PROCESSES: how many; without GPUs, 2):
#
#   bash examples/train_torchrun.sh -o run/ --model ViT-B-32 --pretrained openai --epochs 5 \
#       --batch-size 256 train.jsonl > log.jsonl
#
# TERM and USR1 reach every process, which save at the next step and exit 75; torchrun itself then
# exits 1. The same command goes on from there.
set -euo pipefail
gpus=$(nvidia-smi --list-gpus 2> /dev/null | wc -l || true)
exec torchrun --standalone --nproc-per-node "${PROCESSES:-$((gpus > 0 ? gpus : 2))}" \
    --signals-to-handle SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1 -m hnclip_cli train --resume "$@"
