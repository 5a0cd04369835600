"""Causal language models of the transformers library: how probable a text is."""

import torch

from hnclip_cli.models.masked import load_language_model

BATCH_SIZE = 32


class CausalModel:
    """Log-probabilities of texts under a language model such as GPT-2.

    Weights are read from safetensors only, and code that comes with a model is never run.

    Args:
        name: a folder, or the name of a model in the cache of the Hugging Face hub.
        device: where it runs.

    Raises:
        HnclipError: transformers is not installed, or there is no such model.
    """

    def __init__(self, name: str, *, device: str = "cpu") -> None:
        self._tokenizer, self._model = load_language_model(
            "CausalLM", name, download=False, extra="lm", fetch=f"hf download {name} before"
        )
        self._model.to(device).eval()
        self._device = device
        ids = (self._tokenizer.bos_token_id, self._tokenizer.eos_token_id)
        self._start = next((token for token in ids if token is not None), None)
        limit = getattr(self._model.config, "max_position_embeddings", None) or 1024
        self._max_tokens = limit - 1

    @torch.inference_mode()
    def log_probabilities(self, texts: list[str]) -> list[float]:
        """The natural logarithm of each text's probability, from the model's start of text on.

        Texts beyond the model's context are cut. A model without a start or end token takes the
        first token as given.
        """
        found: list[float] = []
        for first in range(0, len(texts), BATCH_SIZE):
            found += self._batch(texts[first : first + BATCH_SIZE])
        return found

    def _batch(self, texts: list[str]) -> list[float]:
        encoded = self._tokenizer(texts, add_special_tokens=False)["input_ids"]
        rows = [[self._start, *ids] if self._start is not None else ids for ids in encoded]
        rows = [ids[: self._max_tokens + 1] for ids in rows]
        width = max(2, *map(len, rows))
        tokens = torch.zeros(len(rows), width, dtype=torch.long)
        mask = torch.zeros(len(rows), width, dtype=torch.long)
        for row, ids in enumerate(rows):
            tokens[row, : len(ids)] = torch.tensor(ids, dtype=torch.long)
            mask[row, : len(ids)] = 1
        tokens, mask = tokens.to(self._device), mask.to(self._device)
        logits = self._model(input_ids=tokens, attention_mask=mask).logits[:, :-1].float()
        chosen = logits.log_softmax(-1).gather(2, tokens[:, 1:, None])[..., 0]
        # Summed in float64, so that equal texts tie whatever stands beside them in the batch.
        return [float(value) for value in (chosen.double() * mask[:, 1:]).sum(1)]
