"""READ-CLIP without its reconstruction: NegCLIP, and paraphrases against the captions."""

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
    return (to_text + to_image) / 2 + 0.5 * mean(losses)
