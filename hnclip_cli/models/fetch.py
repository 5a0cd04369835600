"""Models brought into the caches of open_clip and of the Hugging Face hub."""

import os
from typing import Any

import open_clip
from open_clip.pretrained import download_pretrained, download_pretrained_from_hf

from hnclip_cli.models.load import clip_on_meta, found_model, loading
from hnclip_cli.models.loading.shapes import build_on_meta

_HUB = "hf-hub:"


def fetch(name: str, pretrained: str | None = None) -> dict[str, Any]:
    """Fetch weights, tokenizer and configuration; what is there already is not fetched again.

    Args:
        name, pretrained: as `load_clip` takes them; a name without a tag gets all but weights.

    Returns:
        The model, its tag, the file of its weights, and its size in bytes; None for no weights.

    Raises:
        HnclipError: there is no such model or tag, or it cannot be fetched.
    """
    weights = None
    with found_model(name, pretrained) as (source, config), loading(name, config, fetches=True):
        if name.startswith(_HUB):
            weights = download_pretrained_from_hf(name.removeprefix(_HUB))
        elif registered := open_clip.get_pretrained_cfg(name, pretrained or ""):
            weights = download_pretrained(registered)
        open_clip.get_tokenizer(source)
        build_on_meta(source)
    if not name.startswith(_HUB):
        clip_on_meta(name, pretrained)  # from what is there now, without the network
    size = os.path.getsize(weights) if weights else None
    return {"model": name, "pretrained": pretrained, "weights": weights, "bytes": size}
