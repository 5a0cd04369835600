"""The hard-negative objective written a second time, in float64 with loops, from its definition.

It shares nothing with the package: plain Python sums over autograd scalars.
"""

import math

import torch


def _dot(a, b):
    return (a * b).sum()


def _log_sum_exp(terms):
    top = max(term.item() for term in terms)
    return top + torch.stack([(term - top).exp() for term in terms]).sum().log()


def oracle(
    images,
    texts,
    negatives,
    mask,
    scale,
    kinds,
    thresholds,
    imc_weight,
    cmr_weight,
    bound,
    groups,
    scope,
):
    """Returns (loss, contrastive, imc, cmr, list of thresholds)."""
    size, slots = len(images), negatives.shape[1]
    zero = scale * 0

    def other_of_same_group(i, j):
        return groups is not None and i != j and groups[i] == groups[j]

    rows, columns = [], []
    for i in range(size):
        target = scale * _dot(images[i], texts[i])
        row = [
            scale * _dot(images[i], texts[j]) for j in range(size) if not other_of_same_group(i, j)
        ]
        row += [
            scale * _dot(images[i], negatives[j][k])
            for j in {"batch": range(size), "own": [i], "none": []}[scope]
            for k in range(slots)
            if mask[j][k]
        ]
        rows.append(_log_sum_exp(row) - target)
        column = [
            scale * _dot(texts[i], images[j]) for j in range(size) if not other_of_same_group(i, j)
        ]
        columns.append(_log_sum_exp(column) - target)
    contrastive = (sum(rows) / size + sum(columns) / size) / 2

    imc_rows, hinges = [], []
    gaps: dict[int, list[float]] = {}
    for i in range(size):
        target = scale * _dot(images[i], texts[i])
        valid = [k for k in range(slots) if mask[i][k]]
        if valid:
            own = [scale * _dot(texts[i], negatives[i][k]) for k in valid]
            imc_rows.append(_log_sum_exp([target, *own]) - target)
        for k in valid:
            kind = int(kinds[i][k])
            wrong = scale * _dot(images[i], negatives[i][k])
            hinge = wrong - target + thresholds[kind]
            hinges.append(hinge if hinge.item() > 0 else zero)
            gaps.setdefault(kind, []).append((target - wrong).item())
    imc = sum(imc_rows) / len(imc_rows) if imc_rows else zero
    cmr = sum(hinges) / len(hinges) if hinges else zero

    updated = [float(value) for value in thresholds]
    for kind, values in gaps.items():
        updated[kind] = min(max(math.fsum(values) / len(values), 0.0), bound)
    return contrastive + imc_weight * imc + cmr_weight * cmr, contrastive, imc, cmr, updated
