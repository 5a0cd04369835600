"""Preprocessing and activation of weights, of which a file says nothing: those of the tags.

open_clip registers them for each tag of a model's name. Another preprocessing or activation than
that of the training gives other features, and no error.
"""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import open_clip
from open_clip.pretrained import list_pretrained_tags_by_model
from open_clip.transform import PreprocessCfg

from hnclip_cli.errors import HnclipError
from hnclip_cli.known import no_tag
from hnclip_cli.models.loading.config import Config

DEFAULT = "default"  # in place of a tag: what open_clip takes where it is told nothing


@dataclass(frozen=True)
class Settings:
    """What features depend on beside architecture and weights."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str
    resize_mode: str
    quick_gelu: bool

    def for_images(self) -> dict[str, Any]:
        """What open_clip is to be told of images."""
        return {
            "image_mean": self.mean,
            "image_std": self.std,
            "image_interpolation": self.interpolation,
            "image_resize_mode": self.resize_mode,
        }

    def words(self) -> dict[str, str]:
        """Each setting as messages show it."""
        mean, std = (" ".join(f"{x:.4g}" for x in values) for values in (self.mean, self.std))
        return {
            "mean": f"mean {mean}",
            "std": f"std {std}",
            "interpolation": self.interpolation,
            "resize_mode": self.resize_mode,
            "quick_gelu": "QuickGELU" if self.quick_gelu else "GELU",
        }


def find_settings(
    name: str, config: Config, pretrained: str | None, like: str | None = None
) -> tuple[Settings | None, str]:
    """The settings of weights, and a line that says which a file got, and why.

    Those of a file are ``like``'s, or those on which all tags of the name agree.

    Args:
        name: of open_clip; others than plain names bring settings of their own.
        config: the name's ``model_cfg``, which may say QuickGELU for all of its tags.
        pretrained: a tag of the name, or a file. For neither there are no settings.
        like: a tag of the name, or `DEFAULT`; for files only.

    Raises:
        HnclipError: the tags do not agree, or ``like`` is none of them or not for a file.
    """
    is_tag = bool(pretrained and open_clip.get_pretrained_cfg(name, pretrained))
    is_file = bool(pretrained and not is_tag and os.path.exists(pretrained))
    if like and not is_file:
        raise HnclipError("--preprocess-of is for a file of weights", hint="--pretrained FILE")
    if pretrained and is_tag:
        return _of_tag(name, config, pretrained), ""
    if pretrained and is_file:
        found, reason = _of_file(name, config, pretrained, like)
        return found, f"{pretrained}: {', '.join(found.words().values())} ({reason})"
    return None, ""


def _of_tag(name: str, config: Config, tag: str) -> Settings:
    registered: Mapping[str, Any] = open_clip.get_pretrained_cfg(name, tag)
    if not registered and tag != DEFAULT:
        raise no_tag(name, tag, [*list_pretrained_tags_by_model(name), DEFAULT])
    given = dataclasses.asdict(PreprocessCfg()) | dict(registered)
    is_quick = bool(config.get("quick_gelu") or registered.get("quick_gelu"))
    mean, std = tuple(given["mean"]), tuple(given["std"])
    return Settings(mean, std, given["interpolation"], given["resize_mode"], is_quick)


def _of_file(name: str, config: Config, path: str, like: str | None) -> tuple[Settings, str]:
    if like:
        return _of_tag(name, config, like), f"as {like}"
    tags = list_pretrained_tags_by_model(name)
    firsts: dict[Settings, str] = {}
    for tag in tags or [DEFAULT]:
        firsts.setdefault(_of_tag(name, config, tag), tag)
    if len(firsts) > 1:
        raise HnclipError(
            f"tags of {name} differ in preprocessing or activation",
            where=path,
            hint=f"--preprocess-of {_differences(firsts)}",
        )
    return next(iter(firsts)), f"as all tags of {name}" if tags else f"defaults: {name} has no tags"


def _differences(firsts: Mapping[Settings, str]) -> str:
    """A tag for each of several settings, with what sets it apart, in few words."""
    shown = [
        {**words, "mean": " ".join(words["mean"].split()[:2])}
        for words in (settings.words() for settings in firsts)
    ]
    differing = [key for key in shown[0] if key != "std" and len({w[key] for w in shown}) > 1]
    return ", ".join(
        f"{tag} ({', '.join(words[key] for key in differing)})"
        for tag, words in zip(firsts.values(), shown, strict=True)
    )
