"""The model that a run writes, made of the one that it trains."""

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from hnclip_cli.models.clip import Clip
from hnclip_cli.models.text_decoder import TextDecoder
from hnclip_cli.models.tuning import TOWERS, add_lora, interpolate, lock, merged_state_dict
from hnclip_cli.training.config import TrainConfig


def adapt(module: Any, config: TrainConfig) -> None:
    """Lock towers and add LoRA, in place, as the settings say."""
    for tower in TOWERS:
        if config.locks(tower):
            lock(module, tower)
    if config.lora_rank:
        add_lora(module, config.lora_rank, seed=config.seed)


def load_decoder(config: TrainConfig, clip: Clip) -> TextDecoder | None:
    """The decoder that the settings name, for the vectors of a model, where that is."""
    if config.decoder is None:
        return None
    return TextDecoder(config.decoder, clip.embed_dim, seed=config.seed, device=clip.device)


def keeps_copy(config: TrainConfig) -> bool:
    """Whether the model is there a second time, for what is written."""
    return bool(config.lora_rank) or config.wise_ft < 1


class Export:
    """Locks a tower and adds LoRA, in place, as the settings say; undoes it in what is written."""

    def __init__(self, clip: Clip, config: TrainConfig) -> None:
        self._trained = clip
        self._alpha = config.wise_ft
        self._start: Mapping[str, Tensor] | None = None
        # LoRA cannot be taken out of a copy without taking it out of the model (parametrizations
        # live in the class that both share), so the weights go into a copy from before.
        self._written: Clip | None = None
        if keeps_copy(config):
            self._written = dataclasses.replace(clip, module=copy.deepcopy(clip.module))
        if config.wise_ft < 1:
            start = clip.module.state_dict()
            self._start = {name: value.cpu().clone() for name, value in start.items()}
        adapt(clip.module, config)

    def clip(self) -> Clip:
        """LoRA merged, interpolated with the start; valid until called again. What trains stays."""
        if self._written is None:
            return self._trained
        module = self._written.module
        module.load_state_dict(merged_state_dict(self._trained.module))
        if self._start is not None:
            interpolate(module, self._start, self._alpha)
        module.eval()
        return self._written
