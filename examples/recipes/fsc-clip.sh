#!/usr/bin/env bash
# FSC-CLIP: Oh et al., EMNLP 2024, arXiv 2410.05210. ViT-B/32 of OpenAI, fine-tuned on 100,000
# captions of COCO, with a swap, a replacement and shuffled bi-grams.
#
#   bash examples/recipes/fsc-clip.sh annotations/captions_train2014.json train2014/ fsc-clip/
#
# --paper: 5 epochs of 256 pairs, learning rate 5e-6, 50 steps of warm-up, weight decay 0.1
# (section 4). With LoRA add: --set lora_rank 4 --lr 5e-5 (the README).
MODEL=${MODEL:-ViT-B-32,openai}
source "$(dirname "$0")/steps.sh"

once pairs.jsonl data captions "$captions" --images "$images" --sample 100000
once negatives.jsonl negatives --preset fsc-clip --true-captions "$folder/pairs.jsonl" "$folder/pairs.jsonl"
train negatives.jsonl --objective fsc-clip --paper "$@"
measure << 'PAPER'
The paper (table 1)            CLIP  FSC-CLIP
11 compositional benchmarks    46.1      54.2
21 zero-shot tasks             57.1      55.7
retrieval, image to text       60.0      66.3
retrieval, text to image       45.8      58.3
The tables of CS-CLIP's repository
SugarCrepe                     73.0      85.2
ARO                            57.4      86.0
VALSE                          67.7      75.7
Winoground, text score         31.0      32.8
PAPER
