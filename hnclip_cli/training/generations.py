"""Generations of text towers that learn, one after the other, from one image tower.

Source: Zheng, Zhang, Kembhavi, Krishna, "Iterated Learning Improves Compositionality in Large
Vision-Language Models", CVPR 2024 (arXiv 2404.02145), without its codebook. Each generation begins
with a text tower of new random weights. In its first steps, the smoothing phase, the image tower
is locked; then both are trained. The first generation is what the run starts from, and has none.
"""

from typing import NamedTuple

from hnclip_cli.models.tuning import renew_text_tower
from hnclip_cli.training.checkpoints import State
from hnclip_cli.training.config import TrainConfig


class Generation(NamedTuple):
    """Where a step stands."""

    generation: int  # from 0
    smoothing: bool  # whether the image tower is locked


def generation_of(step: int, config: TrainConfig) -> Generation:
    """Of the step after so many."""
    if not config.generation_steps:
        return Generation(0, False)
    generation, age = divmod(step, config.generation_steps)
    return Generation(generation, generation > 0 and age < config.smoothing_steps)


def begin_step(state: State, config: TrainConfig) -> Generation:
    """Make the model ready for its next step, in place; the same on all ranks.

    All depends on the number of the step: to begin a step twice, as after an error, or in a run
    that is taken up again, changes nothing.

    Raises:
        HnclipError: the text tower cannot be made anew.
    """
    found = generation_of(state.step, config)
    if not config.generation_steps:
        return found
    if found.generation and state.step % config.generation_steps == 0:
        for parameter in renew_text_tower(state.clip, f"{config.seed}/{found.generation}"):
            state.optimizer.state.pop(parameter, None)
    trained = {p for group in state.optimizer.param_groups for p in group["params"]}
    visual = state.clip.module.visual
    visual.train(not found.smoothing)  # statistics of batch normalization are locked, too
    for parameter in visual.parameters():
        parameter.requires_grad_(parameter in trained and not found.smoothing)
    return found
