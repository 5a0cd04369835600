#!/usr/bin/env bash
# NegCLIP: Yuksekgonul et al., ICLR 2023, arXiv 2210.01936. ViT-B/32 of OpenAI, fine-tuned on some
# 100,000 captions of COCO, with words of the caption exchanged, and with similar images.
#
#   bash examples/recipes/negclip.sh annotations/captions_train2014.json train2014/ negclip/
#
# --paper: 5 epochs of 256 pairs, learning rate 1e-6, 50 steps of warm-up (the README). One of a
# caption's negatives and one of its three nearest images are drawn each epoch.
MODEL=${MODEL:-ViT-B-32,openai}
source "$(dirname "$0")/steps.sh"

once pairs.jsonl data captions "$captions" --images "$images" --sample 100000
once negatives.jsonl negatives --preset negclip --true-captions "$folder/pairs.jsonl" "$folder/pairs.jsonl"
once images.npy embed --of image "${model[@]}" "$folder/pairs.jsonl"
once with-images.jsonl mine "$folder/images.npy" "$folder/negatives.jsonl" --of image -k 3
train with-images.jsonl --objective negclip --paper $(own --negatives-per-caption 1) "$@"
measure << 'PAPER'
CE-CLIP's paper (tables 1 to 3)   CLIP  NegCLIP
ARO relation                      59.3     80.2
ARO attribution                   62.9     70.5
VALSE, mean of 11 files           65.3     71.6
VL-CheckList, mean of 9           69.2     73.4
SugarCrepe replace                80.2     85.0
SugarCrepe swap                   62.7     75.3
SugarCrepe add                    72.7     85.8
FSC-CLIP's paper (table 1): 11 benchmarks 46.1, 52.4; 21 zero-shot tasks 57.1, 55.9
PAPER
