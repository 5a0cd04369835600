"""Model folders: what open_clip and transformers get to see of one.

They follow what a folder says: names that go to the network, code beside a tokenizer, links, more
weights than one. So they are given a private folder, which holds checked copies of the
configurations, and links to the weights and to the files of the tokenizer, and nothing else.
"""

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hnclip_cli.errors import HnclipError
from hnclip_cli.known import CONFIG_NAME as CONFIG_NAME
from hnclip_cli.models.loading.clip_names import (
    config_from_transformers,
    preprocess_from_transformers,
)
from hnclip_cli.models.loading.config import Config, check_config, check_tower
from hnclip_cli.models.loading.shapes import Shape, shapes_of
from hnclip_cli.models.loading.weights import PICKLES, readable_weights
from hnclip_cli.streams.files import open_regular

WEIGHTS_NAME = "open_clip_model.safetensors"
# In open_clip's order; where there are none of these, the first of all by name.
PREFERRED = (
    WEIGHTS_NAME, "open_clip_pytorch_model.safetensors", "model.safetensors",
    "open_clip_pytorch_model.bin", "open_clip_pytorch_model.pth", "pytorch_model.bin",
)  # fmt: skip
OTHERS = {"hnclip_state.safetensors", "training_args.bin", "optimizer.pt", "scheduler.pt"}
TOWER_NAME = "config.json"
TOKENIZER_NAME = "tokenizer_config.json"
VOCABULARIES = (
    "tokenizer.json", "vocab.json", "merges.txt", "vocab.txt", "spiece.model", "tokenizer.model",
    "sentencepiece.bpe.model", "special_tokens_map.json", "added_tokens.json",
)  # fmt: skip
_SHARD = re.compile(r"-\d{5}-of-\d{5}\.")  # a part of weights, as transformers calls it
MAX_JSON_BYTES = 4 << 20
MAX_VOCABULARY_BYTES = 256 << 20

TOKENIZERS = {
    "BertTokenizer", "CLIPTokenizer", "GemmaTokenizer", "GPT2Tokenizer", "NllbTokenizer",
    "PreTrainedTokenizer", "RobertaTokenizer", "T5Tokenizer", "TokenizersBackend",
    "XLMRobertaTokenizer",
}  # fmt: skip
# Settings of a tokenizer that change its tokens.
TOKENIZER_KEYS = {
    "add_bos_token", "add_eos_token", "add_prefix_space", "added_tokens_decoder",
    "additional_special_tokens", "bos_token", "clean_up_tokenization_spaces", "cls_token",
    "do_basic_tokenize", "do_lower_case", "eos_token", "errors", "extra_ids",
    "extra_special_tokens", "legacy", "legacy_behaviour", "mask_token", "model_max_length",
    "never_split", "pad_token", "padding_side", "sep_token", "spaces_between_special_tokens",
    "split_special_tokens", "src_lang", "strip_accents", "tgt_lang", "tokenize_chinese_chars",
    "tokenizer_class", "trim_offsets", "truncation_side", "unk_token",
}  # fmt: skip
# Settings that do not, or that a private folder takes from its own files.
IGNORED_KEYS = {
    "backend", "chat_template", "is_local", "local_files_only", "model_input_names",
    "name_or_path", "processor_class", "sp_model_kwargs", "special_tokens_map_file",
    "tokenizer_file", "use_default_system_prompt", "use_fast", "vocab_file",
}  # fmt: skip


class Opened(NamedTuple):
    """A model folder that was checked."""

    private: str  # a folder for open_clip, for as long as the block lasts
    config: Config  # ``model_cfg`` as the folder has it
    shapes: dict[str, Shape]  # of the weights


@contextlib.contextmanager
def open_folder(folder: Path) -> Iterator[Opened]:
    """Check a folder in open_clip's ``local-dir`` format; nothing outside of it is read.

    Or a folder with a CLIP of transformers, whose weights and configuration are converted.

    Raises:
        HnclipError: a file is missing, not a regular one, too large or leads out of the folder; or
            a configuration holds what `check_config` refuses.
    """
    config, preprocess = _read_config(folder)
    text = dict(config["text_cfg"])
    with (
        readable_weights(_find_weights(folder)) as weights,
        tempfile.TemporaryDirectory(prefix="hnclip-model-") as private,
    ):
        os.symlink(weights, os.path.join(private, WEIGHTS_NAME))
        if text.get("hf_tokenizer_name"):
            _link_tokenizer(folder, private)
            # Said aloud, so that transformers does not ask on a terminal.
            text["tokenizer_kwargs"] = (text.get("tokenizer_kwargs") or {}) | {
                "trust_remote_code": False
            }
        if name := text.get("hf_model_name"):
            tower = _read_json(folder, TOWER_NAME)
            if tower is None:
                raise HnclipError(
                    f"no {TOWER_NAME} of the text tower in the folder",
                    where=str(folder),
                    hint=f"hf download {name} {TOWER_NAME} --local-dir {folder}",
                )
            _write_json(private, TOWER_NAME, check_tower(tower, str(folder / TOWER_NAME)))
            text |= {"hf_model_name": private, "hf_model_pretrained": False}
        shown = {"model_cfg": config | {"text_cfg": text}, "preprocess_cfg": preprocess}
        _write_json(private, CONFIG_NAME, shown)
        yield Opened(private, config, shapes_of(weights))


def member(folder: Path, name: str) -> str | None:
    """The real path of a regular file in a model folder; None where there is none.

    Raises:
        HnclipError: it is a link that leads out of the folder, or no regular file. In the cache of
            the Hugging Face hub the files are links to its ``blobs``, which are taken.
    """
    path = folder / name
    if not os.path.lexists(path):
        return None
    real, root = Path(os.path.realpath(path)), Path(os.path.realpath(folder))
    homes = [root]
    if root.parent.name == "snapshots" and root.parent.parent.name.startswith("models--"):
        homes.append(root.parent.parent / "blobs")
    if not any(real.is_relative_to(home) for home in homes):
        raise HnclipError(
            "a link that leads out of the model folder", where=str(path), hint="a copy of the file"
        )
    try:
        open_regular(str(real)).close()
    except FileNotFoundError:
        raise HnclipError("a link to nothing", where=str(path)) from None
    return str(real)


def _read_config(folder: Path) -> tuple[Config, Config]:
    found, name = _read_json(folder, CONFIG_NAME), CONFIG_NAME
    if found is None and (theirs := _read_json(folder, TOWER_NAME)) is not None:
        name = TOWER_NAME
        images = _read_json(folder, "preprocessor_config.json")
        found = {
            "model_cfg": config_from_transformers(theirs, str(folder / name)),
            "preprocess_cfg": preprocess_from_transformers(images),
        }
    if found is None:
        raise HnclipError(f"no {CONFIG_NAME} in the folder", where=str(folder))
    return check_config(found, str(folder / name))


def _find_weights(folder: Path) -> str:
    """Those of safetensors, else of pickles, of which nothing but tensors is read."""
    for suffix in (".safetensors", *PICKLES):
        names = sorted(path.name for path in folder.glob(f"*{suffix}") if path.name not in OTHERS)
        names.sort(key=lambda name: PREFERRED.index(name) if name in PREFERRED else len(PREFERRED))
        if any(_SHARD.search(name) for name in names[:1]):
            raise HnclipError(
                "the weights are in several files, and only one is read",
                where=str(folder),
                got=names[0],
                hint="save_pretrained of transformers with a larger max_shard_size",
            )
        if names and (path := member(folder, names[0])):
            return path
    raise HnclipError("no *.safetensors weights in the folder", where=str(folder))


def _link_tokenizer(folder: Path, private: str) -> None:
    found = {name: path for name in VOCABULARIES if (path := member(folder, name))}
    if not found:
        raise HnclipError(
            "no files of the tokenizer in the folder",
            where=str(folder),
            expected=f"tokenizer.json, or {', '.join(VOCABULARIES[1:7])}",
        )
    for name, path in found.items():
        if os.path.getsize(path) > MAX_VOCABULARY_BYTES:
            raise HnclipError("too large a file of the tokenizer", where=str(folder / name))
        os.symlink(path, os.path.join(private, name))
    settings = _read_json(folder, TOKENIZER_NAME)
    if settings is not None:
        checked = _check_tokenizer(settings, str(folder / TOKENIZER_NAME))
        _write_json(private, TOKENIZER_NAME, checked)


def _check_tokenizer(settings: Any, where: str) -> Config:
    if not isinstance(settings, dict):
        raise HnclipError("not the settings of a tokenizer", where=where, expected="an object")
    unknown = sorted(settings.keys() - TOKENIZER_KEYS - IGNORED_KEYS)
    if unknown:
        raise HnclipError(
            "a setting of the tokenizer that is not known", where=where, got=repr(unknown[0])
        )
    name = str(settings.get("tokenizer_class") or "TokenizersBackend")
    if name.removesuffix("Fast") not in TOKENIZERS:
        raise HnclipError(
            "a tokenizer that is not known",
            where=where,
            got=repr(name),
            expected=f"one of {', '.join(sorted(TOKENIZERS))}",
        )
    return {key: value for key, value in settings.items() if key in TOKENIZER_KEYS}


def _read_json(folder: Path, name: str) -> Any:
    """What a JSON file of a model folder holds; None where there is none."""
    path, where = member(folder, name), str(folder / name)
    if path is None:
        return None
    with open_regular(path) as stream:
        data = stream.read(MAX_JSON_BYTES + 1)
    if len(data) > MAX_JSON_BYTES:
        raise HnclipError(
            "too large a configuration", where=where, expected=f"at most {MAX_JSON_BYTES} bytes"
        )
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise HnclipError(f"bad model configuration ({error})", where=where) from None
    return {} if found is None else found


def _write_json(folder: str, name: str, value: Any) -> None:
    Path(folder, name).write_text(json.dumps(value))
