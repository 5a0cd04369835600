"""Every objective written a second time, from its paper: float64 scalars, loops, no tricks.

It shares nothing with the package. Each objective is written whole, not as the sum of terms that
the package makes of it.
"""

import torch

from tests.training.objectives.loops import Loops, mean, nll
from tests.training.objectives.oracles import clic, concept_centric, cs_clip, dac, read


def objective(name, features, slots, scale, thresholds, bound=10.0, bias=None):
    """Returns (loss, list of thresholds)."""
    batch = Loops(features, slots, scale, thresholds, bias)
    return OBJECTIVES[name](batch), batch.updated(name, bound)


def nothing(_):
    return []


def clip(b):
    return (b.image_to_text(nothing) + b.text_to_image([])) / 2


def with_negatives(b):
    return (b.image_to_text(lambda _: b.all_negatives()) + b.text_to_image([])) / 2


def negclip(b):
    to_text = b.image_to_text(lambda _: b.all_negatives())
    return (to_text + b.text_to_image(b.all_negative_images())) / 2


def roesch(b):
    to_text = b.image_to_text(lambda i: [b.negatives[i][k] for k in b.valid[i]])
    return (to_text + b.text_to_image([])) / 2


def ce_clip(b):
    imc, image_imc, image_hinges = [], [], []
    for i in b.rows:
        target = b.s(b.images[i], b.texts[i])
        if b.valid[i]:
            imc.append(nll(target, [b.s(b.texts[i], b.negatives[i][k]) for k in b.valid[i]]))
        if b.valid_images[i]:
            own = [b.features.negative_images[i][m] for m in b.valid_images[i]]
            image_imc.append(nll(target, [b.s(b.images[i], image) for image in own]))
    hinges = [
        torch.relu(b.thresholds[kind] - gap) for kind, gaps in b.gaps().items() for gap in gaps
    ]
    image_hinges = [torch.relu(b.thresholds[-1] - gap) for gap in b.image_gaps()]
    return (
        with_negatives(b)
        + 0.3 * (mean(imc) + mean(image_imc))
        + 0.2 * (mean(hinges) + mean(image_hinges))
    )


def fsc_clip(b):
    own = b.own_softmax(b.global_scores, 2, 0.02)
    return clip(b) + 0.5 * own + 0.2 * b.own_softmax(b.local_scores, 2, 0.02)


def triplet(b):
    there, back = b.mirrored()
    return with_negatives(b) + (there + back) / 2


def con_clip(b):
    to_text = b.image_to_text(lambda _: b.all_negatives())
    return (to_text + b.text_to_image(b.all_negative_images()) + b.mirrored()[0]) / 3


def rank_clip(b, ramp=2):
    return clip(b) + ramp * b.ranking()


def svlc(b):
    paraphrases, losses = b.features.further["paraphrases"], []
    for i in b.rows:
        for k in b.filled("paraphrases", i):
            for anchor in (b.images[i], b.texts[i]):
                rest = [
                    b.s(anchor, paraphrases[j][m])
                    for j in b.others(i)
                    for m in b.filled("paraphrases", j)
                ]
                losses.append(nll(b.s(anchor, paraphrases[i][k]), rest))
    return with_negatives(b) + b.own_softmax(b.global_scores, 0, 0) + mean(losses)


def siglip(b):
    return b.sigmoids(*b.pairs())


def siglip_hn(b):
    true, false = b.pairs()
    false += [(image, negative) for image in b.images for negative in b.all_negatives()]
    false += [(image, text) for text in b.texts for image in b.all_negative_images()]
    return b.sigmoids(true, false)


def hnclip(b):
    half_truths = cs_clip.parts(b, "parts", "halves")
    return clip(b) + 2 * b.own_softmax(b.global_scores, 0, 0) + 0.25 * half_truths


OBJECTIVES = {
    "hnclip": hnclip,
    "clip": clip,
    "negclip": negclip,
    "roesch": roesch,
    "ce-clip": ce_clip,
    "fsc-clip": fsc_clip,
    "triplet": triplet,
    "con-clip": con_clip,
    "rank-clip": rank_clip,
    "svlc": svlc,
    "dac": dac.objective,
    "read": read.objective,
    "cs-clip": cs_clip.objective,
    "clic": clic.objective,
    "concept-centric": concept_centric.softmax_form,
    "concept-centric-sigmoid": concept_centric.sigmoid_form,
    "siglip": siglip,
    "siglip-hn": siglip_hn,
    "iterated": clip,
}
