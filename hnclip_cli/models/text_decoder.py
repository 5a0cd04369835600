"""A frozen decoder of ``transformers`` that reads one vector and is to say a text.

Weights are safetensors, or a pickle (T5 v1.1 has no other) of which tensors alone are read. Code
that comes with a model is never run, and nothing is fetched.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.language import SAFELY, loading, model_folder, quiet_transformers

IGNORED = -100  # stands behind the end of a text
MAX_TOKENS = 77  # of a text; what is longer is cut


class TextDecoder(nn.Module):
    """The decoder of a T5, and the layer through which it reads vectors of another model.

    Of the two only the layer is trained.

    Args:
        name: a folder, or the name of a T5 in the cache of the Hugging Face hub.
        dim: D, of the vectors.
        seed: of the layer's first weights.
        device: where it is; ``meta`` reads no weights.

    Raises:
        HnclipError: ``transformers`` is not installed, or there is no such T5.
    """

    def __init__(self, name: str, dim: int, *, seed: int, device: torch.device) -> None:
        super().__init__()
        transformers = quiet_transformers("read")
        with loading(name):
            # Of a folder transformers looks up nothing; of a name without safetensors it does.
            folder = model_folder(name)
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **SAFELY)
            config = transformers.AutoConfig.from_pretrained(folder, **SAFELY)
        if config.model_type != "t5":
            raise HnclipError(
                "--decoder takes a T5", where=name, got=f"a model of type {config.model_type}",
                hint="google/t5-v1_1-large",
            )  # fmt: skip
        kind = transformers.T5ForConditionalGeneration
        with loading(name):
            if device.type == "meta":
                with device:
                    self.model = kind(config)
            else:
                self.model = kind.from_pretrained(
                    folder, dtype=torch.float32, weights_only=True, **SAFELY
                ).to(device)
        del self.model.encoder
        self.model.requires_grad_(False).eval()  # without dropout
        # As READ-CLIP has it: without bias, and left behind after training.
        self.layer = nn.Linear(dim, config.d_model, bias=False, device=device)
        if device.type != "meta":
            generator, bound = torch.Generator().manual_seed(seed), dim**-0.5  # torch's own
            start = torch.empty(config.d_model, dim).uniform_(-bound, bound, generator=generator)
            self.layer.weight.data.copy_(start)

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Token ids with an end token, (n, L), of which `IGNORED` ones are none."""
        if not texts:
            return torch.zeros(0, 1, dtype=torch.int64)
        found = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        ids: Tensor = found["input_ids"]
        return ids.masked_fill(found["attention_mask"] == 0, IGNORED)

    def forward(self, vectors: Tensor, tokens: Tensor) -> Tensor:
        """−log of the probability of each text after its vector, (n,).

        Args:
            vectors: (n, D), not normalized.
            tokens: (n, L) as `tokenize` gives them, on any device.
        """
        tokens = tokens.to(vectors.device, non_blocking=True)
        before: Any = self.model.prepare_decoder_input_ids_from_labels(labels=tokens)
        logits = self.model(
            encoder_outputs=(self.layer(vectors)[:, None],), decoder_input_ids=before,
            use_cache=False,
        ).logits  # fmt: skip
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        losses = F.cross_entropy(logits.mT, tokens, ignore_index=IGNORED, reduction="none")
        return losses.sum(dim=1)
