"""CS-CLIP: NegCLIP, and units against those of other images and their own foil."""

from tests.training.objectives.loops import mean, nll


def objective(b):
    texts, foils = (b.features.further[name] for name in ("units", "foils"))
    keys = b.slots.keys
    slots = []
    for k in range(texts.shape[1]):
        losses = []
        rows = [i for i in b.rows if k in b.filled("units", i)]
        for i in rows:
            key, target = keys["units"][i][k], b.s(b.images[i], texts[i][k])
            rivals = [
                b.s(b.images[i], texts[j][k])
                for j in rows
                if j in b.others(i) and keys["units"][j][k].item() not in b.keys("units", i)
            ]
            if k in b.filled("foils", i) and keys["foils"][i][k] != key:
                rivals.append(b.s(b.images[i], foils[i][k]))
            images = [j for j in b.others(i) if key.item() not in b.keys("units", j)]
            back = nll(target, [b.s(b.images[j], texts[i][k]) for j in images])
            losses.append((nll(target, rivals) + back) / 2)
        slots.append(mean(losses))
    to_text = b.image_to_text(lambda _: b.all_negatives())
    return (to_text + b.text_to_image(b.all_negative_images())) / 2 + 0.5 * mean(slots)
