"""Checks of a model's name and a device without torch, so that mistakes are reported fast.

What cannot be checked here is left to whoever loads the model.
"""

import contextlib
import os
import re
import sys
from collections.abc import Mapping, Sequence
from functools import cache, partial
from glob import glob
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from hnclip_cli.errors import HnclipError
from hnclip_cli.streams.files import alike, no_folder

OWN_CONFIGS = Path(__file__).parent / "models" / "configs"
CONFIG_NAME = "open_clip_config.json"  # of a model's folder
OWN = "hnclip-"  # what the names of our own configurations begin with
_SCHEMAS = ("hf-hub:", "local-dir:")
REACH_SECONDS = 4.0  # in which a network must answer
_COPY = "hnclip_cli.models.open_clip_files"
# Parts of names that are in no open_clip 3, and where they come from.
_ELSEWHERE = {
    "tulip": "its authors have it in a fork of open_clip, tulip-berkeley/open_clip",
    **dict.fromkeys(
        ("naflex", "moderntext", "mammut", "coca2", "tips", "superclip", "clips-", "clap"),
        "open_clip 4 has it, and hnclip works with open_clip 3",
    ),
}


def version(package: str) -> str:
    """The version that is installed."""
    from importlib.metadata import version as installed  # which imports sockets

    return installed(package)


def model_names() -> list[str]:
    """The names of open_clip and our own, sorted; those that a plug-in has added as well."""
    if loaded := sys.modules.get("open_clip"):
        names = loaded.list_models()
    else:
        names = [path.stem for path in Path(_folder(), "model_configs").glob("*.json")]
    return sorted({*names, *(path.stem for path in OWN_CONFIGS.glob("*.json"))})


def tags_of(name: str) -> Mapping[str, Mapping[str, Any]]:
    """The tags of a name as open_clip registers them: where the weights lie, and preprocessing."""
    table = _pretrained()
    tags = table.list_pretrained_tags_by_model(name)
    return {tag: table.get_pretrained_cfg(name, tag) for tag in tags}


def check_model(name: str, pretrained: str | None = None) -> None:
    """Raises HnclipError for no such model, folder, weights file or tag of the name."""
    is_path = name.startswith((".", "~", "local-dir:")) or ("/" in name and ":" not in name)
    folder = Path(name.removeprefix("local-dir:"))
    if is_path and not folder.is_dir():
        raise no_folder(str(folder))
    if name.startswith(_SCHEMAS) or folder.is_dir():
        return
    if name not in model_names():
        raise no_model(name)
    if pretrained and not os.path.exists(pretrained):
        tags = [*tags_of(name)]
        if pretrained.lower().replace("-", "_") not in tags:  # as open_clip reads it
            raise no_tag(name, pretrained, tags)


def no_tag(name: str, tag: str, tags: Sequence[str]) -> HnclipError:
    """The error for weights that are neither a file nor one of the tags of a name."""
    if "/" in tag or re.search(r"\.(pt|pth|bin|ckpt|safetensors)$", tag):
        return HnclipError("no such file of weights", where=tag)
    return HnclipError(
        f"no tag {tag!r} of {name}",
        expected=f"one of {', '.join(tags)}" if tags else "a file, for it has no tags",
        hint=alike(tag, tags),
    )


def no_model(name: str) -> HnclipError:
    """The error for a name that open_clip has not, with one that is spelled nearly so."""
    place = f"open_clip {version('open_clip_torch')}"
    for part, where in _ELSEWHERE.items():
        if part in name.lower():
            return HnclipError(f"no model {name!r} in {place}: {where}", hint="another model")
    folders = [f"{path.name}/" for path in Path().glob("*/") if any(path.glob("*config.json"))]
    return HnclipError(
        f"no model {name!r} in {place}",
        expected="an open_clip name, hnclip-tiny, or a folder",
        hint=alike(name, [*model_names(), *folders])
        or "python -c 'import open_clip; print(*open_clip.list_models())'",
    )


def check_weights(name: str, pretrained: str | None = None) -> None:
    """Raises HnclipError where weights are neither in a cache nor can be fetched.

    Within `REACH_SECONDS`: libraries ask again and again, for minutes.
    """
    registered: Mapping[str, Any] = {}
    if pretrained and not os.path.exists(pretrained):
        registered = tags_of(name).get(pretrained.lower().replace("-", "_"), {})
    repository = name.removeprefix("hf-hub:") if name.startswith("hf-hub:") else ""
    repository = "/".join(registered.get("hf_hub", repository).split("/")[:2])
    url = registered.get("url", "")
    if not (repository or url) or _is_cached(repository, url):
        return
    from huggingface_hub import constants

    from hnclip_cli.streams.threads import within

    place = constants.ENDPOINT if repository else "{0}://{2}".format(*url.split("/"))
    is_reached = False
    with contextlib.suppress(TimeoutError):
        is_offline = constants.HF_HUB_OFFLINE
        is_reached = not is_offline and within(REACH_SECONDS, partial(_answers, place))
    if not is_reached:
        why = "HF_HUB_OFFLINE is set" if is_offline else f"no answer from {place}"
        raise HnclipError(
            f"its weights are not in the cache, and cannot be fetched ({why})",
            where=f"{name} {pretrained or ''}".rstrip(),
            hint=f"hnclip fetch {name}{f',{pretrained}' if pretrained else ''} where there is a "
            "network",
        )


def origin_of(name: str, pretrained: str | None = None) -> str:
    """Where the weights of a model lie, for people to read."""
    if path := next((one for one in (pretrained, name) if one and os.path.exists(one)), ""):
        return os.path.abspath(path)
    if pretrained:
        registered = tags_of(name).get(pretrained.lower().replace("-", "_"), {})
        repository = registered.get("hf_hub", "").rstrip("/")
        if not repository:
            return f"~/.cache/clip, of {registered.get('url')}"
    elif ":" in name or name not in model_names():
        repository = name.removeprefix("hf-hub:")
    else:
        return "its configuration, with random weights"
    from huggingface_hub import constants

    return f"{constants.HF_HUB_CACHE}, of {repository}"


def _is_cached(repository: str, url: str) -> bool:
    """Whether weights lie where open_clip looks for them first."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE, f"models--{repository.replace('/', '--')}", "snapshots")
    patterns = ("*/*.safetensors", "*/*.bin", "*/*.pt")
    if repository and any(any(folder.glob(pattern)) for pattern in patterns):
        return True
    return bool(url) and Path("~/.cache/clip", url.rpartition("/")[2]).expanduser().is_file()


def _answers(place: str) -> bool:
    """Whether somebody answers at a URL, whatever they say; proxies are used as the hub does."""
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    try:
        urlopen(Request(place, method="HEAD"), timeout=REACH_SECONDS).close()
    except HTTPError:
        return True
    except (OSError, ValueError):
        return False
    return True


def check_device(device: str) -> None:
    """Raises HnclipError for a CUDA device that cannot be there."""
    if device.startswith("cuda") and "torch" not in sys.modules:
        count = num_gpus()
        _, _, number = device.partition(":")
        if count is not None and int(number or 0) >= count:
            raise no_device(device, count)


def no_device(device: str, count: int) -> HnclipError:
    """The error for a device that is not there."""
    return HnclipError(
        f"device {device} is not there", got=f"{count} CUDA devices", hint="--device cpu"
    )


def num_gpus() -> int | None:
    """0 where the driver shows none, or they are hidden; None where only CUDA itself can tell."""
    if version("torch").endswith("+cpu"):
        return 0
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return 0
    # Of NVIDIA on Linux, in WSL and on Jetson, and of AMD, whose builds of torch say cuda as well.
    places = ("nvidia[0-9]*", "nvidia-caps*", "dxg", "nvhost*", "nvmap", "nvgpu*", "kfd")
    return None if any(glob(f"/dev/{place}") for place in places) else 0


@cache
def _folder() -> str:
    spec = find_spec("open_clip")
    return next(iter(spec.submodule_search_locations or ())) if spec else ""


@cache
def _pretrained() -> Any:
    """open_clip's table of tags. Its file is imported by itself, for its package imports torch."""
    if "open_clip" in sys.modules:
        return import_module("open_clip.pretrained")
    package = ModuleType(_COPY)
    package.__path__ = [_folder()]
    absent = {"safetensors": None, "safetensors.torch": None, "huggingface_hub": None}
    before = {name: sys.modules[name] for name in absent if name in sys.modules}
    sys.modules.update({_COPY: package, **absent})  # type: ignore[dict-item]
    try:
        return import_module(f"{_COPY}.pretrained")
    finally:
        for name in absent:
            del sys.modules[name]
        sys.modules.update(before)
