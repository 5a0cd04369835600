"""CS-CLIP: NegCLIP, and units against those of other images and their own foil."""

from tests.training.objectives.loops import mean, nll


def objective(b):
    to_text = b.image_to_text(lambda _: b.all_negatives())
    negclip = (to_text + b.text_to_image(b.all_negative_images())) / 2
    return negclip + 0.5 * parts(b, "units", "foils")


def parts(b, of, false):
    """Texts of a name, each against those of other images and its own false one."""
    texts, foils = b.features.further[of], b.features.further[false]
    keys = b.slots.keys
    slots = []
    for k in range(texts.shape[1]):
        losses = []
        rows = [i for i in b.rows if k in b.filled(of, i)]
        for i in rows:
            key, target = keys[of][i][k], b.s(b.images[i], texts[i][k])
            rivals = [
                b.s(b.images[i], texts[j][k])
                for j in rows
                if j in b.others(i) and keys[of][j][k].item() not in b.keys(of, i)
            ]
            if k in b.filled(false, i) and keys[false][i][k] != key:
                rivals.append(b.s(b.images[i], foils[i][k]))
            images = [j for j in b.others(i) if key.item() not in b.keys(of, j)]
            back = nll(target, [b.s(b.images[j], texts[i][k]) for j in images])
            losses.append((nll(target, rivals) + back) / 2)
        slots.append(mean(losses))
    return mean(slots)
