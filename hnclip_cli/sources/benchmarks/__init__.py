"""Benchmarks: a name, and how its official files become records.

A new benchmark is a reader and a `Benchmark` in a file here, and a line in ``READERS``.
"""

from hnclip_cli.sources.benchmarks.aro import ARO_VG_ATTRIBUTION, ARO_VG_RELATION
from hnclip_cli.sources.benchmarks.conme import CONME
from hnclip_cli.sources.benchmarks.crepe import CREPE
from hnclip_cli.sources.benchmarks.eqben import EQBEN
from hnclip_cli.sources.benchmarks.imagecode import IMAGECODE
from hnclip_cli.sources.benchmarks.imagefolder import IMAGEFOLDER
from hnclip_cli.sources.benchmarks.inpaintcoco import INPAINTCOCO
from hnclip_cli.sources.benchmarks.karpathy import COCO_RETRIEVAL, FLICKR30K_RETRIEVAL
from hnclip_cli.sources.benchmarks.mmvp import MMVP
from hnclip_cli.sources.benchmarks.official import Benchmark
from hnclip_cli.sources.benchmarks.spec import SPEC
from hnclip_cli.sources.benchmarks.sugarcrepe import SUGARCREPE, SUGARCREPE_PP
from hnclip_cli.sources.benchmarks.svo_probes import COMVG, SVO_PROBES
from hnclip_cli.sources.benchmarks.valse import VALSE
from hnclip_cli.sources.benchmarks.vl_checklist import VL_CHECKLIST
from hnclip_cli.sources.benchmarks.whatsup import WHATSUP
from hnclip_cli.sources.benchmarks.winoground import COLORSWAP, WINOGROUND
from hnclip_cli.sources.benchmarks.word_order import ARO_COCO_ORDER, ARO_FLICKR_ORDER

READERS: dict[str, Benchmark] = {
    "sugarcrepe": SUGARCREPE,
    "sugarcrepe-pp": SUGARCREPE_PP,
    "aro-vg-relation": ARO_VG_RELATION,
    "aro-vg-attribution": ARO_VG_ATTRIBUTION,
    "aro-coco-order": ARO_COCO_ORDER,
    "aro-flickr-order": ARO_FLICKR_ORDER,
    "valse": VALSE,
    "vl-checklist": VL_CHECKLIST,
    "winoground": WINOGROUND,
    "crepe": CREPE,
    "eqben": EQBEN,
    "imagecode": IMAGECODE,
    "svo-probes": SVO_PROBES,
    "whatsup": WHATSUP,
    "mmvp": MMVP,
    "colorswap": COLORSWAP,
    "spec": SPEC,
    "inpaintcoco": INPAINTCOCO,
    "comvg": COMVG,
    "conme": CONME,
    "coco-retrieval": COCO_RETRIEVAL,
    "flickr30k-retrieval": FLICKR30K_RETRIEVAL,
    "imagefolder": IMAGEFOLDER,
}
