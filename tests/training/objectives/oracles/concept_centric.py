"""C2LIP: captions, and their noun phrases against images and against patches they attend to."""

import torch

from tests.training.objectives.loops import mean, nll


def attended(b, i, phrase):
    """s · the cosine of a phrase and the patches of an image, by how the phrase attends to them."""
    patches = b.features.image_tokens[i]
    weights = torch.stack([torch.dot(phrase, patch) for patch in patches]).exp()
    pooled = sum(w * patch for w, patch in zip(weights, patches, strict=True)) / weights.sum()
    return b.scale * torch.dot(pooled / pooled.norm(), phrase)


def everywhere(b, i, phrase):
    return b.s(b.images[i], phrase)


def pairs(b):
    """(image, slot, the images that the phrase is false of, the phrases false of the image)."""
    keys = b.slots.keys["phrases"]
    every = [(i, k) for i in b.rows for k in b.filled("phrases", i)]
    for i, k in every:
        images = [j for j in b.others(i) if keys[i][k].item() not in b.keys("phrases", j)]
        phrases = [
            (j, m)
            for j, m in every
            if j in b.others(i) and keys[j][m].item() not in b.keys("phrases", i)
        ]
        yield i, k, images, phrases


def softmaxes(b, score):
    texts, losses = b.features.further["phrases"], []
    for i, k, images, phrases in pairs(b):
        target = score(b, i, texts[i][k])
        there = nll(target, [score(b, i, texts[j][m]) for j, m in phrases])
        losses.append((there + nll(target, [score(b, j, texts[i][k]) for j in images])) / 2)
    return mean(losses)


def sigmoids(b, score):
    texts, losses = b.features.further["phrases"], []
    for i, k, images, _ in pairs(b):
        true = torch.sigmoid(score(b, i, texts[i][k]) + b.bias).log()
        false = [torch.sigmoid(-score(b, j, texts[i][k]) - b.bias).log() for j in images]
        losses.append(-true - sum(false))
    return mean(losses)


def softmax_form(b):
    whole = (b.image_to_text(lambda _: []) + b.text_to_image([])) / 2
    return whole + softmaxes(b, everywhere) + 0.01 * softmaxes(b, attended)


def sigmoid_form(b):
    return b.sigmoids(*b.pairs()) + sigmoids(b, everywhere) + 0.01 * sigmoids(b, attended)
