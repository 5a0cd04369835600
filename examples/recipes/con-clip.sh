#!/usr/bin/env bash
# CoN-CLIP: Singh et al., WACV 2025, arXiv 2403.20312. The text tower of OpenAI's ViT-B/32,
# fine-tuned on denials of captions (CC3M there, with distractor images of COCO).
#
#   bash examples/recipes/con-clip.sh annotations/captions_train2017.json train2017/ con-clip/
#
# --paper: 5 epochs of 200 pairs, learning rate 1e-6, 50 steps of warm-up, weight decay 0.2, image
# tower locked (the released code). Distractors are the nearest images of the same captions' file.
MODEL=${MODEL:-ViT-B-32,openai}
source "$(dirname "$0")/steps.sh"

once pairs.jsonl data captions "$captions" --images "$images"
once negatives.jsonl negatives --preset con-clip --true-captions "$folder/pairs.jsonl" "$folder/pairs.jsonl"
once images.npy embed --of image "${model[@]}" "$folder/pairs.jsonl"
once with-images.jsonl mine "$folder/images.npy" "$folder/negatives.jsonl" --of image -k 1
train with-images.jsonl --objective con-clip --paper "$@"
measure << 'PAPER'
Accuracies                             CLIP  CoN-CLIP
CC-Neg, 40,000 (not checked)           65.7      99.7
NegBench, COCO multiple choice         39.3      23.9   (NegBench's paper)
NegBench, VOC2007 multiple choice      38.7      38.1
PAPER
