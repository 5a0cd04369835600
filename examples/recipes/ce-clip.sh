#!/usr/bin/env bash
# CE-CLIP: Zhang et al., CVPR 2024, arXiv 2306.08832. ViT-B/32 of OpenAI, fine-tuned on COCO's
# train2014 captions with four negatives each: relation, attribute, entity, action.
#
#   bash examples/recipes/ce-clip.sh annotations/captions_train2014.json train2014/ ce-clip/
#
# --paper: 10 epochs of 1,512 pairs (378 on each of 4 GPUs), learning rate 5e-6, 50 steps of
# warm-up, weight decay 0.1 (the released script; its README measures the fifth epoch).
MODEL=${MODEL:-ViT-B-32,openai}
source "$(dirname "$0")/steps.sh"

once pairs.jsonl data captions "$captions" --images "$images"
once negatives.jsonl negatives --preset ce-clip --true-captions "$folder/pairs.jsonl" "$folder/pairs.jsonl"
train negatives.jsonl --objective ce-clip --paper "$@"
measure << 'PAPER'
The paper (tables 1 to 3)      CLIP  CE-CLIP
ARO relation                   59.3     83.0
ARO attribution                62.9     76.4
VALSE, mean of 11 files        65.3     72.5
VL-CheckList, mean of 9        69.2     75.1
SugarCrepe replace             80.2     87.0
SugarCrepe swap                62.7     74.9
SugarCrepe add                 72.7     92.9
SugarCrepe's groups are means of their files there, and micro averages here.
PAPER
