"""Objectives that were tried before `hnclip` was chosen; objective_search.tsv has their figures.

    HNCLIP_PLUGINS=tests/bench/objective_variants.py python examples/compare_objectives.py \\
        --seeds 100 --steps 880 --objectives clip own-1 own-2 --setting "slow=own-1 --lr 1e-3"

`K = 1` in the table is `--negatives-per-caption 1`. Seeds and scenes are not those of the tables in
docs/results.md. A "mixed first phase" saw scenes of one and two objects; today's first phase sees
those of one object, and the scenes to count ("counts") are a tenth of all. "Batch" has negatives of
the whole batch as further columns. In the last rows captions with places ("at the top and …") have
swaps too, and half-truths take part in a quarter of the draws.
"""

_WITHOUT_NEGATIVES = {"contrastive": 1, "imc": 0, "cmr": 0}

OBJECTIVES = {
    "own-1": _WITHOUT_NEGATIVES | {"own": 1},
    "own-2": _WITHOUT_NEGATIVES | {"own": 2},
    "own-1-units": _WITHOUT_NEGATIVES | {"own": 1, "units": 0.5},
    "own-1-some-units": _WITHOUT_NEGATIVES | {"own": 1, "units": 0.25},
    "own-2-units": _WITHOUT_NEGATIVES | {"own": 2, "units": 0.5},
    "halves": _WITHOUT_NEGATIVES | {"half_truths": 0.25},
    "own-1-halves": _WITHOUT_NEGATIVES | {"own": 1, "half_truths": 0.25},
    "own-1-few-halves": _WITHOUT_NEGATIVES | {"own": 1, "half_truths": 0.1},
    "own-1-more-halves": _WITHOUT_NEGATIVES | {"own": 1, "half_truths": 0.5},
    "own-2-more-halves": _WITHOUT_NEGATIVES | {"own": 2, "half_truths": 0.5},
    "own-4-halves": _WITHOUT_NEGATIVES | {"own": 4, "half_truths": 0.25},
    "batch-own-1-halves": {
        "contrastive_batch": 1,
        "imc": 0,
        "cmr": 0,
        "own": 1,
        "half_truths": 0.25,
    },
    "batch-own-1-few-halves": {
        "contrastive_batch": 1,
        "imc": 0,
        "cmr": 0,
        "own": 1,
        "half_truths": 0.1,
    },
    "focal-halves": _WITHOUT_NEGATIVES | {"focal_own": 2, "half_truths": 0.25},
}
