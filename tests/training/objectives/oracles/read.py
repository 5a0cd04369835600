"""READ-CLIP: NegCLIP, paraphrases against the captions, and what a decoder rebuilds by token."""

import torch

from tests.training.objectives.loops import mean, nll


def objective(b):
    paraphrases = b.features.further["paraphrases"]
    losses = [
        nll(
            b.s(paraphrases[i][k], b.texts[i]),
            [b.s(paraphrases[i][k], b.texts[j]) for j in b.others(i)],
        )
        for i in b.rows
        for k in b.filled("paraphrases", i)
    ]
    to_text = b.image_to_text(lambda _: b.all_negatives())
    to_image = b.text_to_image(b.all_negative_images())
    rebuilt = [
        (b.features.rebuilt[i], int(b.slots.rebuilt[i])) for i in b.rows if b.slots.rebuilt[i]
    ]
    tokens = max(1, sum(count for _, count in rebuilt))
    reconstruction = sum((loss for loss, _ in rebuilt), torch.zeros(())) / tokens
    return (to_text + to_image) / 2 + 0.5 * mean(losses) + 0.1 * reconstruction
