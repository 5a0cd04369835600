"""Benchmarks: a name, and how its official files become records.

A new benchmark is a reader and a `Benchmark` in a file here, and a line in ``_PLACES``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hnclip_cli.sources.benchmarks.official import Benchmark

# For each name the file here and the `Benchmark` in it.
_PLACES = {
    "sugarcrepe": "sugarcrepe.SUGARCREPE",
    "sugarcrepe-pp": "sugarcrepe.SUGARCREPE_PP",
    "aro-vg-relation": "aro.ARO_VG_RELATION",
    "aro-vg-attribution": "aro.ARO_VG_ATTRIBUTION",
    "aro-coco-order": "word_order.ARO_COCO_ORDER",
    "aro-flickr-order": "word_order.ARO_FLICKR_ORDER",
    "valse": "valse.VALSE",
    "vl-checklist": "vl_checklist.VL_CHECKLIST",
    "winoground": "winoground.WINOGROUND",
    "crepe": "crepe.CREPE",
    "eqben": "eqben.EQBEN",
    "imagecode": "imagecode.IMAGECODE",
    "svo-probes": "svo_probes.SVO_PROBES",
    "whatsup": "whatsup.WHATSUP",
    "mmvp": "mmvp.MMVP",
    "colorswap": "winoground.COLORSWAP",
    "spec": "spec.SPEC",
    "inpaintcoco": "inpaintcoco.INPAINTCOCO",
    "comvg": "svo_probes.COMVG",
    "conme": "conme.CONME",
    "coco-retrieval": "karpathy.COCO_RETRIEVAL",
    "flickr30k-retrieval": "karpathy.FLICKR30K_RETRIEVAL",
    "imagefolder": "imagefolder.IMAGEFOLDER",
}


class _Readers(Mapping[str, "Benchmark"]):
    """The benchmarks by name. The file of one is imported when that one is asked for."""

    def __getitem__(self, name: str) -> Benchmark:
        file, constant = _PLACES[name].split(".")
        benchmark: Benchmark = getattr(import_module(f"{__name__}.{file}"), constant)
        return benchmark

    def __contains__(self, name: object) -> bool:
        return name in _PLACES

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)


READERS: Mapping[str, Benchmark] = _Readers()
