"""A residual head on frozen features, trained on prompts that say the same in another style.

Source: Cai, Liu, Zhang, Shi, "CLAP: Isolating Content from Style through Contrastive Learning with
Augmented Prompts", ECCV 2024 (arXiv 2311.16445), and its released code. Only texts are read: the
names of classes, of which prompts are made. The head then goes on features of images, too.
"""

import hashlib
import itertools
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.models.clip import Clip
from hnclip_cli.models.device import manual_seed
from hnclip_cli.models.heads import ResidualHead
from hnclip_cli.models.noise import encode_with_noise
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import as_records
from hnclip_cli.training.batches import batch_indices
from hnclip_cli.training.checkpoints import State
from hnclip_cli.training.config import TrainConfig
from hnclip_cli.training.distributed import Ranks
from hnclip_cli.training.loop import Metrics, check_finite, count_steps
from hnclip_cli.training.stopping import saved_after

STYLES = ("realistic", "impressionistic")
TYPES = (
    "painting", "sketch", "cartoon", "clipart", "photograph", "infograph", "mosaic art",
    "sculpture",
)  # fmt: skip
SIZES = ("large", "normal sized", "small")
COLORS = (
    "red", "blue", "green", "yellow", "purple", "orange", "black", "white", "brown",
    "multicolored",
)  # fmt: skip
TEMPLATES = list(itertools.product(STYLES, TYPES, SIZES, COLORS))

CHANCE = 0.5  # of each change to a prompt
TAU_PROMPTS, TAU_CLASSES = 0.5, 1.0
TRAINING_SCALE = 1.0  # α while the head is trained
Item = tuple[int, int]  # number of a prompt, and the epoch


@dataclass(frozen=True)
class Prompts:
    """The classes, and the prompts of each: 480, numbered class after class."""

    names: list[str]
    threshold_names = ()  # as of a `RecordStore`

    @classmethod
    def read(cls, records: Iterable[Mapping[str, Any]], policy: ErrorPolicy) -> "Prompts":
        """The distinct captions are the names; `HnclipError` for fewer than two."""
        names: dict[str, None] = {}
        for record in as_records(records):
            try:
                names[" ".join(record.caption.replace("_", " ").split())] = None
            except InputError as error:
                policy.bad(error)
        if len(names) < 2:
            raise HnclipError(
                "too few classes",
                got=f"{len(names)} distinct captions",
                expected="the name of each class as the caption of a record, at least two",
            )
        return cls(list(names))

    @classmethod
    def shared(cls, read: "Callable[[], Prompts]", ranks: Ranks) -> "Prompts":
        """What rank 0 reads, on every rank; raises HnclipError where that fails."""
        found = ranks.first(read)
        return cls(ranks.broadcast(found.names if found else []))

    def __len__(self) -> int:
        return len(self.names) * len(TEMPLATES)

    @cached_property
    def digest(self) -> str:
        return hashlib.blake2b("\n".join(self.names).encode(), digest_size=16).hexdigest()

    def class_of(self, item: Item) -> int:
        return item[0] // len(TEMPLATES)

    def plain(self, item: Item) -> str:
        """As "a realistic painting of a large red dog"."""
        return self._text(item, size=True, color=True, is_reversed=False)

    def changed(self, item: Item, seed: int) -> str:
        """The same without its size, its color, or in another order, each by chance.

        It depends on the prompt, the epoch and the seed only.
        """
        generator = random.Random(f"{seed}/{item[1]}/{item[0]}")
        size, color, is_reversed = (generator.random() >= CHANCE for _ in range(3))
        return self._text(item, size=size, color=color, is_reversed=is_reversed)

    def _text(self, item: Item, *, size: bool, color: bool, is_reversed: bool) -> str:
        style, kind, size_word, color_word = TEMPLATES[item[0] % len(TEMPLATES)]
        words = [size_word] * size + [color_word] * color + [self.names[self.class_of(item)]]
        thing, style = _with_article(" ".join(words)), _with_article(f"{style} {kind}")
        return f"{thing} in {style} style" if is_reversed else f"{style} of {thing}"


def _with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiouAEIOU' else 'a'} {words}"


class HeadExport:
    """The model with the head that is trained on it; as `Export`."""

    def __init__(self, clip: Clip, seed: int) -> None:
        self.frozen = clip
        with torch.random.fork_rng(devices=[]):
            manual_seed(f"{seed}/head")
            self.head = ResidualHead(clip.embed_dim).to(clip.device)

    def clip(self) -> Clip:
        return replace(self.frozen, head=self.head)

    def start(self, config: TrainConfig) -> State:
        """The state before the first step: of the head alone."""
        # Without weight decay it is the paper's Adam.
        optimizer = torch.optim.AdamW(
            self.head.parameters(), lr=config.lr, weight_decay=config.weight_decay
        )
        return State(replace(self.frozen, module=self.head), optimizer, torch.zeros(1), 0.0)


def train(
    state: State,
    export: HeadExport,
    prompts: Prompts,
    config: TrainConfig,
    *,
    ranks: Ranks,
    save: Callable[[bool], None],
    stop: Callable[[], bool],
    validate: Callable[[], Metrics] | None = None,
) -> Iterator[Metrics]:
    """Train the head from where the state stands, yielding metrics; arguments as of `loop.train`.

    A batch is small and its texts are short: each rank computes all of it, to the same numbers.

    Raises:
        HnclipError: the loss is not finite.
        Stopped: `stop` said so, and the state has been saved.
    """
    clip, head, num_steps = export.frozen, export.head, count_steps(config, len(prompts))
    with torch.no_grad():
        tokens = clip.tokenize(prompts.names)
        names = encode_raw(clip, tokens, config)
    if validate and not state.step:
        yield {"step": 0, "val": ranks.first(validate)}
    started = time.monotonic() - state.elapsed
    saved_at: float | None = None
    for batch in batch_indices(len(prompts), config.batch_size, config.seed, state.position):
        own = [stop(), time.monotonic() - started]
        stopping, state.elapsed = ranks.max(torch.tensor(own).double()).tolist()
        saved_at = state.elapsed if saved_at is None else saved_at
        if stopping:
            ranks.first(partial(save, False))
            raise saved_after(state.step)
        if state.step == num_steps or (config.seconds and state.elapsed >= config.seconds):
            break

        # ---- features of the prompts, of the changed prompts, and of the names
        labels = torch.tensor([prompts.class_of(item) for item in batch], device=clip.device)
        with torch.no_grad():
            plain = encode_raw(clip, clip.tokenize([prompts.plain(item) for item in batch]), config)
            changed = clip.tokenize([prompts.changed(item, config.seed) for item in batch])
            noisy = encode_with_noise(clip, changed, f"{config.seed}/{state.position}")
        rows = torch.cat([plain, noisy, names[labels]])
        plain, noisy, own_names = head(rows, TRAINING_SCALE).chunk(3)
        loss, terms = clap_loss(plain, noisy, own_names, labels, config.groups)

        # ---- update
        state.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        norm = nn.utils.clip_grad_norm_(head.parameters(), config.grad_clip or float("inf"))
        check_finite(loss, norm, state.step + 1)
        lr = config.lr * min(1.0, (state.step + 1) / (config.warmup_steps + 1))
        for group in state.optimizer.param_groups:
            group["lr"] = lr
        state.optimizer.step()
        state.step += 1
        state.position += 1

        # ---- what it leaves behind
        is_last = state.step == num_steps
        if state.step % config.log_every == 0 or is_last:
            said = {name: value.item() for name, value in terms.items()}
            yield {
                "step": state.step, "loss": loss.item(), **said, "lr": lr,
                "grad_norm": norm.item(),
                "epoch": state.position * config.batch_size / len(prompts),
            }  # fmt: skip
        if config.is_checkpoint(state.step, state.elapsed - saved_at) and not is_last:
            saved_at = None
            ranks.first(partial(save, False))
            if validate:
                yield {"step": state.step, "val": ranks.first(validate)}
    ranks.first(partial(save, True))
    if validate:
        yield {"step": state.step, "val": ranks.first(validate)}


def encode_raw(clip: Clip, tokens: Tensor, config: TrainConfig) -> Tensor:
    """Token ids to features that are not normalized, (n, D), a micro-batch at a time."""
    parts = torch.split(tokens, config.micro_batch or max(64, config.batch_size))
    return torch.cat([clip.encode_tokens_raw(part) for part in parts])


def clap_loss(
    plain: Tensor, changed: Tensor, names: Tensor, labels: Tensor, groups: str = "image"
) -> tuple[Tensor, dict[str, Tensor]]:
    """NT-Xent of prompts and changed prompts, and of changed prompts and names of their classes.

    Args:
        plain, changed, names: (B, D), what the head made of them.
        labels: (B,) the class of each.
        groups: ``image`` leaves rows of one class out of each other's softmax; ``none`` does not,
            as the paper.

    Returns:
        The sum of the two, (), and each by its name.
    """
    alike = labels[:, None] == labels if groups == "image" else torch.eye(len(labels)).bool()
    alike = alike.to(plain.device)
    terms = {
        "prompts": nt_xent(plain, changed, TAU_PROMPTS, alike),
        "classes": nt_xent(changed, names, TAU_CLASSES, alike),
    }
    return terms["prompts"] + terms["classes"], terms


def nt_xent(one: Tensor, other: Tensor, temperature: float, alike: Tensor) -> Tensor:
    """mean −log softmax(cos(xᵢ, ·)/τ)[its other view], over the 2B views of B things.

    Source: Chen et al., ICML 2020 (SimCLR).

    Args:
        one, other: (B, D), two views of each thing.
        alike: (B, B) bool, which things are not contrasted with each other; each with itself.
    """
    views = F.normalize(torch.cat([one, other]), dim=1)
    logits = views @ views.T / temperature
    count = len(one)
    positions = torch.arange(2 * count, device=one.device)
    targets = (positions + count) % (2 * count)
    excluded = alike.repeat(2, 2).clone()
    excluded[positions, targets] = False
    return F.cross_entropy(logits.masked_fill(excluded, -torch.inf), targets)
