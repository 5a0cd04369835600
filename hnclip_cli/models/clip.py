"""A loaded CLIP model: images and captions to unit vectors."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hnclip_cli import __version__
from hnclip_cli.errors import HnclipError
from hnclip_cli.models.device import autocast
from hnclip_cli.models.pixels import byte_table, look_up_bytes, resizes, split_preprocess
from hnclip_cli.models.tensors import bytes_of
from hnclip_cli.models.text import Layout, encode_text, encode_text_local, fastest_layout
from hnclip_cli.models.tokens import Tokenizer, remembering
from hnclip_cli.models.vision import encode_image, encode_image_local
from hnclip_cli.streams.decoders import Step

if TYPE_CHECKING:
    from PIL.Image import Image

    from hnclip_cli.models.heads import ResidualHead
    from hnclip_cli.models.text_decoder import TextDecoder

AUTOCAST_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass
class Clip:
    """An open_clip model with what belongs to it.

    Attributes:
        module: the open_clip model.
        preprocess: PIL image -> pixels, shape (3, height, width).
        tokenizer: texts -> token ids, shape (n, context length), padded with zeros.
        model_config: open_clip's ``model_cfg``, from which the module can be built again.
        device: where the module is.
        precision: ``fp32``, or ``bf16``/``fp16`` for autocast with fp32 weights.
        layout: of texts in attention; None takes the usual one. It changes the rounding.
        name: as the user said it, with the tag or file of the weights.
        head: what features go through before they are normalized.
        decoder: that rebuilds texts of their vectors, while this is trained.
    """

    module: Any  # open_clip's model classes share no typed interface
    preprocess: Callable[["Image"], Tensor]
    tokenizer: Tokenizer
    model_config: dict[str, Any]
    device: torch.device
    precision: str = "fp32"
    layout: Layout | None = None
    name: str = ""
    head: "ResidualHead | None" = None
    decoder: "TextDecoder | None" = None

    @property
    def embed_dim(self) -> int:
        return int(self.model_config["embed_dim"])

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        """Of the module and of its decoder, those that training may change."""
        layer = [] if self.decoder is None else self.decoder.layer.parameters()
        return [*self.module.parameters(), *layer]

    @property
    def logit_scale(self) -> Tensor:
        """The factor that cosines are multiplied with, shape ()."""
        scale: Tensor = self.module.logit_scale.exp().reshape(())  # some models keep it as (1,)
        return scale

    @property
    def logit_bias(self) -> Tensor | None:
        """What is added to the scaled cosines, shape (), of models for a sigmoid."""
        bias: Tensor | None = getattr(self.module, "logit_bias", None)
        return None if bias is None else bias.reshape(())

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Token ids, shape (n, context length).

        Raises:
            HnclipError: the tokenizer is another model's.
        """
        tokens = self._tokenize(texts)
        size = getattr(getattr(self.module, "text", self.module), "vocab_size", None)
        if size and len(tokens) and int(tokens.max()) >= size:
            raise HnclipError(
                "the tokenizer is not that of the model",
                got=f"token {int(tokens.max())}",
                expected=f"one of {size}",
            )
        return tokens

    @cached_property
    def _tokenize(self) -> Callable[[Sequence[str]], Tensor]:
        return remembering(self.tokenizer)

    def stack(self, images: Sequence[Tensor]) -> Tensor:
        """Images as `PixelLoader` gives them, of one size as `encode_images` takes them.

        On a GPU they are brought there, and nothing waits for it.
        """
        if self.resizes and images[0].dtype == torch.uint8:
            from hnclip_cli.models.resize import resize

            return resize(images, self._steps, self.device)
        if self.device.type != "cuda":
            return torch.stack(list(images))
        shape = len(images), *images[0].shape
        pinned = torch.empty(shape, dtype=images[0].dtype, pin_memory=True)
        return torch.stack(list(images), out=pinned).to(self.device, non_blocking=True)

    @cached_property
    def resizes(self) -> bool:
        """Whether images are resized on the device."""
        return resizes(self.device, self._steps)

    @cached_property
    def _steps(self) -> list[Step]:
        return split_preprocess(self.preprocess)[0]

    def encode_images(self, pixels: Tensor) -> Tensor:
        """Pixels to unit vectors, float32, shape (n, D).

        Args:
            pixels: (n, 3, height, width) as ``preprocess`` makes them; or (n, height, width, 3)
                bytes, to which the arithmetic of ``preprocess`` is still to be done.
        """
        with self._autocast():
            features = encode_image(self.module, self._on_device(pixels))
        return self.unit(features)

    def _on_device(self, pixels: Tensor) -> Tensor:
        pixels = pixels.to(self.device, non_blocking=True)
        return look_up_bytes(pixels, self._byte_table) if pixels.dtype == torch.uint8 else pixels

    @cached_property
    def _byte_table(self) -> Tensor:
        table = byte_table(self.preprocess)
        assert table is not None
        return table.to(self.device)

    def encode_tokens(self, tokens: Tensor) -> Tensor:
        """Token ids (n, context length), on any device, to unit vectors, float32, (n, D)."""
        return self.unit(self.encode_tokens_raw(tokens))

    def encode_tokens_raw(self, tokens: Tensor) -> Tensor:
        """The same without head and normalization, which `unit` does."""
        with self._autocast():
            features = encode_text(self.module, tokens, self.layout)
        return _at_least_float32(features)

    def fastest_layout(self, tokens: Tensor) -> Layout:
        """The fastest ``layout`` on this device, measured on token ids (n, context length)."""
        with self._autocast():
            return fastest_layout(self.module, tokens)

    def encode_images_local(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """As `encode_images`, and the patches' features (n, P, D), which are not normalized."""
        with self._autocast():
            features, patches = encode_image_local(self.module, self._on_device(pixels))
        return self.unit(features), _at_least_float32(patches)

    def encode_tokens_local(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As `encode_tokens_raw`, the words' features (n, L, D), and which are words."""
        with self._autocast():
            features, words, are_words = encode_text_local(self.module, tokens)
        return _at_least_float32(features), _at_least_float32(words), are_words

    def rebuild(self, vectors: Tensor, tokens: Tensor) -> Tensor:
        """What the decoder makes of vectors of `encode_tokens_raw`; see `TextDecoder`."""
        assert self.decoder is not None
        with self._autocast():
            found: Tensor = self.decoder(vectors, tokens)
        return found

    def encode_captions(self, captions: Sequence[str]) -> Tensor:
        """Unit vectors, float32, shape (n, D)."""
        if not captions:
            return torch.zeros(0, self.embed_dim, device=self.device)
        return self.encode_tokens(self.tokenize(captions))

    def digest(self) -> str:
        """Hash of the configuration, the preprocessing and the weights, 32 hexadecimal digits."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(json.dumps(self.model_config, sort_keys=True, default=str).encode())
        digest.update(repr(self.preprocess).encode())
        tensors = dict(self.module.state_dict())
        if self.head is not None:
            digest.update(repr(self.head.scale).encode())
            tensors |= {f"head.{name}": x for name, x in self.head.state_dict().items()}
        for name, tensor in sorted(tensors.items()):
            digest.update(name.encode())
            digest.update(bytes_of(tensor))
        return digest.hexdigest()

    def run(self) -> dict[str, Any]:
        """What a result says of the model that it comes from, the same for the same model."""
        return {
            "model": self.name,
            "weights": self.digest(),
            "precision": self.precision,
            "scored_with": {
                "hnclip": __version__,
                "torch": str(torch.__version__),
                "open_clip": metadata.version("open-clip-torch"),
            },
        }

    def settings(self) -> dict[str, str]:
        """All that decides the features of an input, in a form that can be compared."""
        return {
            "model": self.digest(),
            "precision": self.precision,
            "device": self.device.type,
            "torch": str(torch.__version__),
        }

    def unit(self, features: Tensor) -> Tensor:
        """Features (n, D) through the head, if any, and to unit vectors, float32."""
        if features.ndim != 2 or features.shape[1] != self.embed_dim:
            raise HnclipError(
                "the model does not give a vector for each input",
                got=f"features of shape {tuple(features.shape)}",
                expected=f"(n, {self.embed_dim})",
                hint="the pool_type of another model's configuration",
            )
        features = _at_least_float32(features)
        return F.normalize(features if self.head is None else self.head(features), dim=-1)

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return autocast(self.device, AUTOCAST_DTYPES[self.precision])


def _at_least_float32(features: Tensor) -> Tensor:
    return features.to(torch.promote_types(features.dtype, torch.float32))
