#!/usr/bin/env bash
# TripletCLIP: Patel et al., NeurIPS 2024, arXiv 2411.02545. ViT-B/32 from random weights on CC3M or
# CC12M, with a false caption that a language model wrote, and an image made of it.
#
#   ENDPOINT=http://localhost:8000/v1 bash examples/recipes/tripletclip.sh cc3m/ cc3m/ tripletclip/
#
# ENDPOINT is a server of a language model (docs/generators.md); without it the rules write. PIPELINE
# is what makes images: `hf download stabilityai/sdxl-turbo` first, pip install 'hnclip[inpaint]';
# PIPELINE= leaves them out, and the objective is then NegCLIP's. Which models the paper took
# could not be checked.
#
# --paper: 10 epochs of 1,024 pairs, learning rate 5e-4, 1,000 steps of warm-up, weight decay 0.5
# (its sample script and defaults).
MODEL=${MODEL:-ViT-B-32}
PIPELINE=${PIPELINE-stabilityai/sdxl-turbo}
source "$(dirname "$0")/steps.sh"

once pairs.jsonl data captions "$captions" --images "$images"
once negatives.jsonl negatives --per-caption 1 ${ENDPOINT:+--generator http --endpoint "$ENDPOINT"} "$folder/pairs.jsonl"
records=negatives.jsonl
if [ "$PIPELINE" ]; then
    records=with-images.jsonl
    once $records data generate "$folder/made" "$folder/negatives.jsonl" --model "$PIPELINE" --steps 1 --guidance 0
fi
train $records --objective triplet --paper "$@"
measure << 'PAPER'
The paper's figures could not be checked, so none is here.
PAPER
