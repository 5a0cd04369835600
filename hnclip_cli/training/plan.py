"""What a run would cost, before anything is loaded (``--dry-run``)."""

from collections.abc import Iterable, Mapping
from typing import Any

from hnclip_cli.models.cost import ModelCost, mean_tokens, measure_cost
from hnclip_cli.streams.records import as_records
from hnclip_cli.training.batches import slots_of
from hnclip_cli.training.config import TrainConfig
from hnclip_cli.training.loop import count_steps

# Weight, gradient, and AdamW's two moments, in float32.
BYTES_PER_FROZEN, BYTES_PER_TRAINED = 4, 16
NUM_MEASURED_TEXTS = 1000


def estimate(
    config: TrainConfig, model: str, records: Iterable[Mapping[str, Any]] | None
) -> dict[str, Any]:
    """What a run of these settings would cost, as `plan` tells; nothing is loaded for it.

    Records are counted, and the first of them measured; None where they are not to be read.
    """
    count, texts = 0, list[str]()
    for record in as_records(records or ()):
        count += 1
        if len(texts) < NUM_MEASURED_TEXTS:
            texts += [record.caption, *(negative.caption for negative in record.negatives)]
    is_known = config.epochs is None or records is not None
    return plan(
        config,
        measure_cost(model),
        num_steps=count_steps(config, count) if is_known else None,
        tokens_per_text=mean_tokens(model, texts) if texts else None,
    )


def plan(
    config: TrainConfig, cost: ModelCost, *, num_steps: int | None, tokens_per_text: float | None
) -> dict[str, Any]:
    """The resolved settings with an estimate of work and memory.

    FLOPs count a multiplication and an addition as two; a backward pass is taken for twice the
    forward pass, once where the weights are frozen and only gradients pass through (LoRA), and
    nothing for a locked tower. With micro-batches each forward pass runs twice. Texts are taken
    to fill their slots, and their work to grow with their tokens.

    Args:
        num_steps: of the run; None where it cannot be known yet.
        tokens_per_text: mean length of the records' texts; None takes the context length.
    """
    slots = slots_of(config, has_negative_images=False).captions
    tokens = min(cost.context_length, tokens_per_text or cost.context_length)
    flops = {
        "image": config.batch_size * _passes(config, "image") * cost.image.forward_flops,
        "text": config.batch_size * (1 + slots) * _passes(config, "text")
        * cost.text.forward_flops * tokens / cost.context_length,
        "loss": _objective_flops(config, slots, cost.embed_dim),
    }  # fmt: skip
    total = sum(flops.values())
    parameters = {"image": cost.image.parameters, "text": cost.text.parameters}
    trained = [0 if config.lora_rank or config.locks(side) else n for side, n in parameters.items()]
    memory = {
        "weights_gradients_optimizer": BYTES_PER_FROZEN * sum(parameters.values())
        + (BYTES_PER_TRAINED - BYTES_PER_FROZEN) * sum(trained),
        "activations": _activations(config, cost, slots, tokens),
        # The features and their gradients.
        "objective": 2 * 4 * config.batch_size * (2 + slots) * cost.embed_dim,
    }
    return {
        "config": config.resolved(),
        "steps": num_steps,
        "records_seen": num_steps * config.batch_size if num_steps else None,
        "parameters": parameters | {"trained": sum(trained)},
        "tokens_per_text": round(tokens, 1),
        "flops_per_step": {name: round(value) for name, value in flops.items()},
        "flops_share": {name: round(value / total, 4) for name, value in flops.items()},
        "memory_bytes": memory | {"total": sum(memory.values())},
    }


def _passes(config: TrainConfig, side: str) -> int:
    """Forward passes and their like that a tower runs through in a step."""
    if config.locks(side):
        return 1
    backward = 1 if config.lora_rank else 2
    return 1 + backward + (1 if config.micro_batch else 0)


def _objective_flops(config: TrainConfig, slots: int, dim: int) -> float:
    """Three products for each matrix of logits, and the pass over its columns before them."""
    size = config.batch_size
    contrasted = {"contrastive_batch", "contrastive_both", "sigmoid_both"} & config.weights.keys()
    columns = size * (1 + slots) if contrasted else size
    return 6.0 * size * columns * dim + 2.0 * size * size * dim + 12.0 * size * slots * dim


def _activations(config: TrainConfig, cost: ModelCost, slots: int, tokens: float) -> int:
    """Bytes; with micro-batches only one tower's part is alive at a time."""
    rows = config.micro_batch or config.batch_size
    saved = {
        "image": cost.image.saved_bytes * rows,
        "text": cost.text.saved_bytes * rows * (1 + slots) * tokens / cost.context_length,
    }
    kept = [0.0 if config.locks(side) else size for side, size in saved.items()]
    return round(max(kept) if config.micro_batch else sum(kept))
