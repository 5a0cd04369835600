"""A masked language model of a few thousand weights, made and trained here in seconds."""

import itertools

import torch
from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

SUBJECTS = ["man", "woman", "boy", "girl", "dog", "cat", "horse", "cow", "bird"]
ACTIONS = ["sitting", "standing", "lying", "walking"]
COLORS = ["red", "blue", "green", "white", "black", "brown"]
THINGS = ["couch", "bench", "table", "bed", "chair"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
OTHERS = "a an the two is on in near animal sofa puppy kitten his her hat umbrella orange and . ,"
PIECES = ["##s", "##ing", "##er"]


def captions():
    """A few hundred captions: who does what on what."""
    parts = itertools.product(SUBJECTS, ACTIONS, COLORS, THINGS)
    for number, (subject, action, color, thing) in enumerate(parts):
        if number % 3 == 0:
            yield f"a {subject} {action} on a {color} {thing} ."


def save(folder, steps=60):
    """Train the model on `captions` and save it with its tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    words = [*SPECIAL, *SUBJECTS, *ACTIONS, *COLORS, *THINGS, *OTHERS.split(), *PIECES]
    vocabulary = {word: index for index, word in enumerate(dict.fromkeys(words))}
    tokenizer = BertTokenizerFast(vocab=vocabulary, do_lower_case=True)
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    model = BertForMaskedLM(
        BertConfig(
            vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=64, max_position_embeddings=48, hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    )  # fmt: skip
    ids = tokenizer(list(captions()), return_tensors="pt")["input_ids"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(steps):
        batch = ids[torch.randint(len(ids), (64,), generator=generator)]
        hidden = torch.rand(batch.shape, generator=generator) < 0.25
        hidden[:, 0] = hidden[:, -1] = False
        labels = batch.masked_fill(~hidden, -100)
        inputs = batch.masked_fill(hidden, tokenizer.mask_token_id)
        loss = model(input_ids=inputs, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return loss.item()
