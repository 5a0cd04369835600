"""Language models of ``transformers``: which words fill a gap, how probable a text is.

Weights are read from safetensors only, and code that comes with a model is never run.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from hnclip_cli.errors import HnclipError
from hnclip_cli.known import origin_of
from hnclip_cli.models.device import resolve_device
from hnclip_cli.streams.files import check_no_pipes
from hnclip_cli.streams.loads import timed
from hnclip_cli.streams.threads import chunked

# Texts, or places of texts, that are computed at a time.
BATCH_SIZE = 32
# Log-probabilities are compared to so many decimals: less is noise of the batch's shape.
DECIMALS = 3
# How everything is loaded: from here, and without running code that comes with it.
SAFELY = {"local_files_only": True, "trust_remote_code": False}
# A marker of word starts is the tokenizer's own where at least this part of its tokens has it.
_MARKED = 0.1


@dataclass(frozen=True, slots=True)
class Gap:
    """Characters [start, end) of a text, to be filled with one word."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Filler:
    """A whole word, lower case, and its log-probability in nats, rounded to `DECIMALS`."""

    word: str
    log_probability: float


class _Hidden(NamedTuple):
    """A text, by its number, with masks from a place to the end of its word; what stood there."""

    text: int
    ids: list[int]
    place: int
    token: int


class MaskedModel:
    """A masked language model, in evaluation mode, 32-bit floats.

    Args:
        name: a folder with ``config.json``, a fast tokenizer and weights, or the name of such a
            model in the cache of the Hugging Face hub.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        HnclipError: ``transformers`` is not installed, there is no such model or device, it is
            no masked language model, or its weights are incomplete or not safetensors.
    """

    def __init__(self, name: str, *, device: str = "auto") -> None:
        self._device = resolve_device(device)
        self._tokenizer, model = _load("MaskedLM", name, "mlm")
        if not self._tokenizer.is_fast or self._tokenizer.mask_token is None:
            raise HnclipError("the tokenizer is not fast or has no mask token", where=name)
        self._model = model.to(self._device, torch.float32).eval()
        self._words = _whole_words(self._tokenizer.get_vocab())
        self._allowed = torch.tensor(sorted(self._words), device=self._device)
        if not self._words:
            raise HnclipError("the vocabulary has no whole English words", where=name)
        longest = getattr(model.config, "max_position_embeddings", None) or 512
        # Some models count positions from 2.
        self._max_tokens = min(self._tokenizer.model_max_length, longest - 2)

    def fill(self, gaps: Sequence[Gap], k: int, batch_size: int = BATCH_SIZE) -> list[list[Filler]]:
        """The ``k`` most probable words for each gap, best first, ties in alphabetic order.

        A gap is one mask, however many tokens it hides; in a text that is too long for the model it
        gets no words. What stands in the same batch changes nothing but the last bits, which are
        rounded away.
        """
        found: list[list[Filler]] = [[] for _ in gaps]
        encoded = [self._encode(gap) for gap in gaps]
        fitting = [i for i, (ids, _) in enumerate(encoded) if ids]
        fitting.sort(key=lambda i: len(encoded[i][0]))  # little padding
        for chosen in chunked(fitting, batch_size):
            filled = self._fill([encoded[i] for i in chosen], k)
            for index, fillers in zip(chosen, filled, strict=True):
                found[index] = fillers
        return found

    def log_probabilities(self, texts: list[str]) -> list[float]:
        """The pseudo-log-likelihood of each text, in nats.

        That is the sum over its tokens of each one's log-probability where it and the later tokens
        of its word are masked (``PLL-word-l2r`` of Kauf and Ivanova, 2023). Texts beyond the
        model's context are cut.
        """
        if not texts:
            return []
        encoded = self._tokenizer(texts, truncation=True, max_length=self._max_tokens)
        hidden = [one for i in range(len(texts)) for one in self._hidden(i, encoded)]
        hidden.sort(key=lambda one: len(one.ids))
        found = [0.0] * len(texts)
        for chosen in chunked(hidden, BATCH_SIZE):
            scores = self._scores([one.ids for one in chosen], [one.place for one in chosen])
            tokens = torch.tensor([[one.token] for one in chosen], device=self._device)
            for one, value in zip(chosen, scores.gather(1, tokens)[:, 0].tolist(), strict=True):
                found[one.text] += value
        return found

    def _hidden(self, text: int, encoded: Any) -> Iterator[_Hidden]:
        ids, words = encoded["input_ids"][text], encoded.word_ids(text)
        for place, word in enumerate(words):
            if word is not None:
                masked = [
                    self._tokenizer.mask_token_id if i >= place and words[i] == word else token
                    for i, token in enumerate(ids)
                ]
                yield _Hidden(text, masked, place, ids[place])

    def _encode(self, gap: Gap) -> tuple[list[int], int]:
        """Token ids, none where the text is too long, and where the mask is among them."""
        mask = self._tokenizer.mask_token
        text = f"{gap.text[: gap.start]}{mask}{gap.text[gap.end :]}"
        encoding = self._tokenizer(text, return_offsets_mapping=True, verbose=False)
        ids = encoding["input_ids"]
        # By its place, for a caption may hold the mask token itself; by its end, for some
        # tokenizers make the space before it a part of it.
        stop = gap.start + len(mask)
        for place, (_, end) in enumerate(encoding["offset_mapping"]):
            if end == stop and ids[place] == self._tokenizer.mask_token_id:
                return (ids if len(ids) <= self._max_tokens else []), place
        return [], -1

    @torch.inference_mode()
    def _scores(self, rows: Sequence[list[int]], places: Sequence[int]) -> Tensor:
        """(rows, vocabulary) log-probabilities of the tokens at one place of each row."""
        ids, is_real = _padded(rows, self._tokenizer.pad_token_id or 0)
        output = self._model(
            input_ids=ids.to(self._device), attention_mask=is_real.to(self._device)
        )
        found: Tensor = output.logits[torch.arange(len(rows)), torch.tensor(places)]
        return found.float().log_softmax(-1)

    def _fill(self, encoded: Sequence[tuple[list[int], int]], k: int) -> Iterator[list[Filler]]:
        scores = self._scores(*zip(*encoded, strict=True))[:, self._allowed]
        best = scores.topk(min(k, scores.shape[1]))
        tokens = self._allowed[best.indices]
        for row_values, row_tokens in zip(best.values.tolist(), tokens.tolist(), strict=True):
            yield self._ranked(row_values, row_tokens)

    def _ranked(self, values: Sequence[float], ids: Sequence[int]) -> list[Filler]:
        """Each word once, whichever its case, at its best."""
        words: dict[str, float] = {}
        for value, token in zip(values, ids, strict=True):
            words.setdefault(self._words[token].lower(), round(value, DECIMALS))
        ranked = sorted(words.items(), key=lambda item: (-item[1], item[0]))
        return [Filler(word, value) for word, value in ranked]


class CausalModel:
    """Log-probabilities of texts under a language model such as GPT-2, in 32-bit floats.

    Args:
        name: a folder, or the name of a model in the cache of the Hugging Face hub.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        HnclipError: ``transformers`` is not installed, or there is no such model or device.
    """

    def __init__(self, name: str, *, device: str = "cpu") -> None:
        self._device = resolve_device(device)
        self._tokenizer, model = _load("CausalLM", name, "lm")
        self._model = model.to(self._device, torch.float32).eval()
        ids = (self._tokenizer.bos_token_id, self._tokenizer.eos_token_id)
        self._start = [token for token in ids if token is not None][:1]
        self._max_tokens = getattr(model.config, "max_position_embeddings", None) or 1024

    @torch.inference_mode()
    def log_probabilities(self, texts: list[str]) -> list[float]:
        """The natural logarithm of each text's probability, from the model's start of text on.

        Texts beyond the model's context are cut. A model without a start or end token takes the
        first token as given.
        """
        found: list[float] = []
        for batch in chunked(texts, BATCH_SIZE):
            found += self._batch(batch)
        return found

    def _batch(self, texts: list[str]) -> list[float]:
        encoded = self._tokenizer(texts, add_special_tokens=False)["input_ids"]
        rows = [[*self._start, *ids][: self._max_tokens] for ids in encoded]
        tokens, is_real = (
            part.to(self._device) for part in _padded([row or [0] for row in rows], 0)
        )
        logits = self._model(input_ids=tokens, attention_mask=is_real).logits[:, :-1].float()
        chosen = logits.log_softmax(-1).gather(2, tokens[:, 1:, None])[..., 0]
        # Summed in float64, so that equal texts tie whatever stands beside them in the batch.
        sums: list[float] = (chosen.double() * is_real[:, 1:]).sum(1).tolist()
        return sums


def load_scorer(name: str, *, device: str = "auto") -> CausalModel | MaskedModel:
    """The model of a name, causal or masked as its configuration says; errors are theirs."""
    transformers = quiet_transformers("lm")
    with loading(name):
        config = transformers.AutoConfig.from_pretrained(name, **SAFELY)
    if any(kind.endswith("ForMaskedLM") for kind in config.architectures or ()):
        return MaskedModel(name, device=device)
    return CausalModel(name, device=device)


def _load(kind: str, name: str, extra: str) -> tuple[Any, Any]:
    """A tokenizer, and a model of a kind: ``MaskedLM`` or ``CausalLM``."""
    transformers = quiet_transformers(extra)
    with loading(name), timed(name, origin_of(name)):
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, **SAFELY)
        model, report = getattr(transformers, f"AutoModelFor{kind}").from_pretrained(
            name, use_safetensors=True, output_loading_info=True, **SAFELY
        )
    if missing := sorted(report["missing_keys"]):
        raise HnclipError(
            "the weights lack what such a language model needs",
            where=name,
            got=f"no {missing[0]}",
            hint="a model trained to fill masks" if kind == "MaskedLM" else "a causal model",
        )
    return tokenizer, model


def quiet_transformers(extra: str) -> Any:
    """The package, without its talk; messages name ``extra``, which brings it."""
    try:
        import transformers
    except ImportError:
        raise HnclipError(
            "transformers is not installed", hint=f"pip install 'hnclip[{extra}]'"
        ) from None
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers


@contextlib.contextmanager
def loading(name: str) -> Iterator[None]:
    """Reads a model; what goes wrong is an error of one line."""
    is_folder = Path(name).is_dir()
    if is_folder:
        check_no_pipes(name)
    try:
        yield
    except Exception as error:  # transformers, safetensors and the hub each have their own
        hint = "another one" if is_folder else f"a folder, or hf download {name} before"
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise HnclipError(f"model cannot be loaded ({reason})", where=name, hint=hint) from error


def model_folder(name: str) -> Path:
    """Where a model's files are: a folder of that name, else what the hub's cache has of it."""
    folder = Path(name)
    if not folder.is_dir():
        from huggingface_hub import snapshot_download

        folder = Path(snapshot_download(name, local_files_only=True))
    for part in folder.rglob("*"):
        if part.is_dir():
            check_no_pipes(str(part))
    return folder


def _padded(rows: Sequence[Sequence[int]], padding: int) -> tuple[Tensor, Tensor]:
    """(n, longest) token ids, and 1 where they are real, 0 in the padding."""
    ids = [torch.tensor(row) for row in rows]
    ones = [torch.ones_like(row) for row in ids]
    return pad_sequence(ids, True, padding), pad_sequence(ones, True)


def _whole_words(vocabulary: Mapping[str, int]) -> dict[int, str]:
    """The tokens that are English words by themselves: id to word.

    WordPiece marks what continues a word (``##ing``); byte-level BPE (``Ġdog``) and SentencePiece
    (``▁dog``) mark what begins one.
    """
    marker = ""
    for mark in ("Ġ", "▁"):
        if sum(token.startswith(mark) for token in vocabulary) > _MARKED * len(vocabulary):
            marker = mark
    return {
        index: word
        for token, index in vocabulary.items()
        if token.startswith(marker)
        and (word := token.removeprefix(marker)).isascii()
        and word.isalpha()
    }
