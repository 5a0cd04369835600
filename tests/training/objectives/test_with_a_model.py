"""From a model's towers through an objective with every kind of feature, and back."""

import pytest
import torch
import torch.nn.functional as F

from hnclip_cli.models.load import load_clip
from hnclip_cli.models.text import encode_text_local
from hnclip_cli.models.vision import encode_image_local
from hnclip_cli.training.objectives import OBJECTIVES
from hnclip_cli.training.objectives.hard_negatives import compute_objective
from hnclip_cli.training.objectives.table import terms_of
from hnclip_cli.training.objectives.view import Features, Slots, fill_slots

CAPTIONS = ["a red cat", "a blue dog on a sofa", "two birds", "a green car"]
NEGATIVES = ["a blue cat", "a red dog on a sofa", "a blue dog on a table", "a red car"]
MASK = torch.tensor([[True, False], [True, True], [False, False], [True, False]])


@pytest.mark.parametrize("name", ["fsc-clip", "triplet", "con-clip"])
def test_training_a_model_lowers_every_term(name):
    clip = load_clip("hnclip-tiny", device="cpu", seed=0)
    module = clip.module.train()
    pixels = torch.randn(8, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    tokens = clip.tokenize([*CAPTIONS, *NEGATIVES])
    slots = Slots(MASK, torch.zeros(4, 2, dtype=torch.long), image_mask=MASK[:, :1])
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    thresholds, terms = torch.zeros(2), []
    for _ in range(12):
        images, patches = encode_image_local(module, pixels)
        texts, words, word_mask = encode_text_local(module, tokens)
        images, texts = F.normalize(images, dim=-1), F.normalize(texts, dim=-1)

        def in_slots(x):
            return torch.cat([x[:4, None], fill_slots(x[4:], MASK)], dim=1)

        features = Features(
            images=images[:4],
            texts=texts[:4],
            negatives=fill_slots(texts[4:], MASK),
            negative_images=images[4:, None],
            image_tokens=patches[:4],
            text_tokens=in_slots(words),
            text_token_mask=in_slots(word_mask),
        )
        result = compute_objective(
            OBJECTIVES[name], features, slots, module.logit_scale.exp(), thresholds
        )
        terms.append(result.terms)
        optimizer.zero_grad()
        result.loss.backward()
        optimizer.step()
    weighted = {term for term, _, weight in terms_of(OBJECTIVES[name]) if weight}
    assert len(weighted) > 1
    for term in weighted:
        assert terms[-1][term] < 0.8 * terms[0][term], term
