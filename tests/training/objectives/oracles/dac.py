"""DAC: CLIP with negatives, an image among its own, and its dense captions as a bag."""

from tests.training.objectives.loops import log_sum_exp, mean


def mil(b):
    dense, losses = b.features.further["dense"], []
    for i in b.rows:
        own = [b.s(b.images[i], dense[i][k]) for k in b.filled("dense", i)]
        if own:
            others = [
                b.s(b.images[i], dense[j][k]) for j in b.others(i) for k in b.filled("dense", j)
            ]
            others += [
                b.s(b.images[j], dense[i][k]) for j in b.others(i) for k in b.filled("dense", i)
            ]
            losses.append(log_sum_exp(own + others) - log_sum_exp(own))
    return mean(losses)


def objective(b):
    clip = (b.image_to_text(lambda _: b.all_negatives()) + b.text_to_image([])) / 2
    return clip + b.own_softmax(b.global_scores, 0, 0) + mil(b)
