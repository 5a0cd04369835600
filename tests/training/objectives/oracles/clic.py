"""CLIC on joined images; each slot of true captions is a batch of its own."""

from tests.training.objectives.loops import mean, nll


def objective(b):
    texts, false = b.features.further["views"], b.features.further["crossed"]
    keys, views, crossed, counts = b.slots.keys, [], [], []
    for k in range(texts.shape[1]):
        rows = [i for i in b.rows if k in b.filled("views", i)]
        to_text, to_image, own = [], [], []
        for i in rows:
            target, others = b.s(b.images[i], texts[i][k]), [j for j in rows if j in b.others(i)]
            to_text.append(nll(target, [b.s(b.images[i], texts[j][k]) for j in others]))
            to_image.append(nll(target, [b.s(b.images[j], texts[i][k]) for j in others]))
            if 0 in b.filled("crossed", i) and keys["crossed"][i][0] != keys["views"][i][k]:
                own.append(nll(target, [b.s(b.images[i], false[i][0])]))
        counts.append((bool(rows), bool(own)))
        views.append((mean(to_text) + mean(to_image)) / 2)
        crossed.append(mean(own))
    num_views, num_crossed = (max(1, sum(there)) for there in zip(*counts, strict=True))
    both = [i for i in b.rows if {0, 1} <= set(b.filled("views", i))]
    distances = [sum((x - y) ** 2 for x, y in zip(*texts[i][:2], strict=True)) for i in both]
    return (
        0 * b.scale
        + 0.5 * sum(views) / num_views
        + 0.5 * sum(crossed) / num_crossed
        + mean(distances)
    )
