"""A batch for the oracle: float64 scalars, loops, no tricks; it shares nothing with the package."""

import math

import torch


def log_sum_exp(terms):
    top = max(term.item() for term in terms)
    return top + sum((term - top).exp() for term in terms).log()


def nll(target, others):
    """−log softmax of the target among itself and the others."""
    return log_sum_exp([target, *others]) - target


def mean(values):
    return sum(values) / len(values) if values else 0.0


class Loops:
    def __init__(self, features, slots, scale, thresholds, bias=None):
        self.images, self.texts, self.negatives = (
            features.images,
            features.texts,
            features.negatives,
        )
        self.scale, self.thresholds, self.bias = scale, thresholds, bias
        self.features, self.slots = features, slots
        self.rows = range(len(self.images))
        self.valid = [[k for k, there in enumerate(row) if there] for row in slots.mask.tolist()]
        self.valid_images = [[] for _ in self.rows]
        if slots.image_mask is not None:
            self.valid_images = [
                [m for m, there in enumerate(row) if there] for row in slots.image_mask.tolist()
            ]

    def s(self, a, b):
        return self.scale * sum(x * y for x, y in zip(a, b, strict=True))

    def others(self, i):
        groups = self.slots.groups
        return [j for j in self.rows if j != i and (groups is None or groups[i] != groups[j])]

    def all_negatives(self):
        return [self.negatives[j][k] for j in self.rows for k in self.valid[j]]

    def all_negative_images(self):
        return [
            self.features.negative_images[j][m] for j in self.rows for m in self.valid_images[j]
        ]

    def image_to_text(self, further):
        return mean(
            [
                nll(
                    self.s(self.images[i], self.texts[i]),
                    [self.s(self.images[i], self.texts[j]) for j in self.others(i)]
                    + [self.s(self.images[i], negative) for negative in further(i)],
                )
                for i in self.rows
            ]
        )

    def text_to_image(self, further):
        return mean(
            [
                nll(
                    self.s(self.images[i], self.texts[i]),
                    [self.s(self.texts[i], self.images[j]) for j in self.others(i)]
                    + [self.s(self.texts[i], image) for image in further],
                )
                for i in self.rows
            ]
        )

    def described(self):
        """(row, negative image, the negative caption of the same slot) where both are there."""
        return [
            (i, self.features.negative_images[i][k], self.negatives[i][k])
            for i in self.rows
            for k in self.valid[i]
            if k in self.valid_images[i]
        ]

    def mirrored(self):
        """Means of I′→[T′; T] and of T′→I′."""
        pairs = self.described()
        there, back = [], []
        for i, image, caption in pairs:
            others = self.others(i)
            rest = [pair for pair in pairs if pair[0] in others]
            target = self.s(image, caption)
            captions = [self.s(image, other) for _, _, other in rest]
            captions += [self.s(image, self.texts[j]) for j, _, _ in pairs]
            there.append(nll(target, captions))
            back.append(nll(target, [self.s(caption, other) for _, other, _ in rest]))
        return mean(there), mean(back)

    def gaps(self):
        """kind -> s·I·T − s·I·N of each of its negatives."""
        found = {}
        for i in self.rows:
            for k in self.valid[i]:
                gap = self.s(self.images[i], self.texts[i]) - self.s(
                    self.images[i], self.negatives[i][k]
                )
                found.setdefault(int(self.slots.kinds[i][k]), []).append(gap)
        return found

    def image_gaps(self):
        return [
            self.s(self.images[i], self.texts[i])
            - self.s(self.texts[i], self.features.negative_images[i][m])
            for i in self.rows
            for m in self.valid_images[i]
        ]

    def updated(self, name, bound):
        values = self.thresholds.tolist()
        found = dict(self.gaps())
        if name == "ce-clip" and self.image_gaps():
            found[len(values) - 1] = self.image_gaps()
        for kind, gaps in found.items():
            average = math.fsum(gap.item() for gap in gaps) / len(gaps)
            values[kind] = min(max(average, 0.0), bound)
        return values

    def own_softmax(self, scores, gamma, smoothing):
        """Mean over rows with negatives; scores(i) gives the caption's and its negatives'."""
        rows = []
        for i in self.rows:
            if not self.valid[i]:
                continue
            row = scores(i)
            total = log_sum_exp(row)
            for k, score in enumerate(row):
                label = (1 - smoothing) * (k == 0) + smoothing / len(row)
                log_p = score - total
                rows.append((1 - log_p.exp()) ** gamma * -label * log_p)
        count = sum(bool(valid) for valid in self.valid)
        return sum(rows) / count if count else 0.0

    def global_scores(self, i):
        captions = [self.texts[i], *(self.negatives[i][k] for k in self.valid[i])]
        return [self.s(self.images[i], caption) for caption in captions]

    def local_scores(self, i):
        patches, scores = self.features.image_tokens[i], []
        for slot in [0, *(k + 1 for k in self.valid[i])]:
            tokens = self.features.text_tokens[i][slot]
            words = self.features.text_token_mask[i][slot].tolist()
            cosines = []
            for token, there in zip(tokens, words, strict=True):
                if there:
                    similar = [torch.dot(token, patch).item() for patch in patches]
                    low, high = min(similar), max(similar)
                    weights = [(x - low) / (high - low) if high > low else 1.0 for x in similar]
                    seen = sum(w * p for w, p in zip(weights, patches, strict=True)) / sum(weights)
                    cosine = torch.dot(seen, token) / (seen.norm() * token.norm())
                    cosines.append(self.scale * cosine)
            scores.append(log_sum_exp(cosines))
        return scores

    def sigmoids(self, true, false):
        """Sum over (image, text) of −log σ(z·(s·image·text + b)) for z = 1 and −1, over B."""

        def loss(z, image, text):
            x = z * (self.s(image, text) + self.bias)
            return torch.log1p((-x.abs()).exp()) + (-x).clamp(min=0)

        total = sum(loss(1, *pair) for pair in true) + sum(loss(-1, *pair) for pair in false)
        return total / len(self.images)

    def pairs(self):
        """The true pairs, and the false ones."""
        true = [(self.images[i], self.texts[i]) for i in self.rows]
        return true, [(self.images[i], self.texts[j]) for i in self.rows for j in self.others(i)]

    def ranking(self):
        def logits(a, b):
            return [[self.s(x, y) for y in b] for x in a]

        def list_mle(predicted, truth):
            total = 0.0
            for scores, true in zip(predicted, truth, strict=True):
                order = sorted(self.rows, key=lambda j: -true[j].item())
                ranked = [scores[j] for j in order]
                total += sum(log_sum_exp(ranked[j:]) - ranked[j] for j in self.rows)
            return total / len(self.images)

        image_text, text_image = logits(self.images, self.texts), logits(self.texts, self.images)
        image_image, text_text = logits(self.images, self.images), logits(self.texts, self.texts)
        cross = list_mle(image_text, text_image) + list_mle(text_image, image_text)
        within = list_mle(image_image, text_text) + list_mle(text_text, image_image)
        return (cross + within) / 32 / len(self.images)

    def filled(self, name, i):
        """The slots of further texts that a row has."""
        return [k for k, there in enumerate(self.slots.further[name][i].tolist()) if there]

    def keys(self, name, i):
        """Those of the texts in these slots."""
        return {self.slots.keys[name][i][k].item() for k in self.filled(name, i)}
