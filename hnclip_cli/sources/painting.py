"""Images of what negatives say: painted into the record's image, or made of the words alone.

- Inpainting, as behind InpaintCOCO (Rösch et al. 2024, arXiv:2403.02875): one thing of a
  photograph gets another color or size, or is another thing; the rest stays.
- Generation, as in TripletCLIP (Patel et al. 2024, arXiv:2411.02545): an image of each negative.
"""

import contextlib
import hashlib
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hnclip_cli.errors import InputError
from hnclip_cli.streams.edits import Edit, apply_edits, edit_between
from hnclip_cli.streams.files import open_regular
from hnclip_cli.streams.images import ImageRoot, as_root, load_image
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.outputs import atomic_output, naming
from hnclip_cli.streams.records import Box, Record, as_records, hash64, is_box, shorten
from hnclip_cli.streams.regions import only, regions_of

if TYPE_CHECKING:
    from PIL.Image import Image

    from hnclip_cli.models.diffusion import Painter

Item = dict[str, Any]

# What InpaintCOCO calls the change of a kind. Only these are painted unless kinds are named.
CONCEPTS = {
    "replace-color": "color",
    "replace-noun": "object",
    "replace-object": "object",
    "replace-subject": "object",
    "replace-size": "size",
}
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
# What stands between an attribute and its thing: "a red [toy] car".
_BETWEEN = re.compile(r"\s+(?:[\w'’-]+\s+)?")


def inpaint(
    records: Iterable[Mapping[str, Any]],
    folder: str,
    *,
    model: str,
    kinds: Collection[str] = tuple(CONCEPTS),
    seed: int = 0,
    image_root: str | ImageRoot = ".",
    policy: ErrorPolicy | None = None,
    **how: Any,
) -> "Painted":
    """Paint what negatives say into the images of their records.

    The place is the negative's ``mask`` (an image, white there), else its ``box`` (left, top,
    width, height in pixels), else the only box that the record has for the words that change or
    the thing that they describe: in ``regions``, in ``annotations`` as COCO's instances
    (``bbox``, ``category``), or in ``objects`` as Visual Genome's (``x``, ``y``, ``w``, ``h``,
    ``names``). The text is ``prompt``, else the negative's caption.

    Args:
        records: with ``image``, ``caption`` and ``negatives``.
        folder: where PNG files are written; one that is there already, whole, is not made again.
        model: a pipeline, see `Painter`.
        kinds: of negatives that are painted.
        seed: an image depends on it, the record, the negative, the model and its settings.
        image_root: where relative image paths start.
        policy: what to do with a bad record; by default it is an error.
        how: device, precision, steps, guidance and size, see `Painter`.

    Returns:
        The records in order. A negative that has an image names it in ``image``; such ones come
        first, so that ``negative_images`` has the images of the first negatives.

    Raises:
        HnclipError: the model cannot be used, or the folder not be written.
        InputError: a bad record, unless the policy skips it.
    """
    from hnclip_cli.models.diffusion import Painter  # which imports torch

    painter = Painter(model, "inpaint", **how)
    return Painted(records, folder, painter, kinds, seed, as_root(image_root), policy)


def generate(
    records: Iterable[Mapping[str, Any]],
    folder: str,
    *,
    model: str,
    kinds: Collection[str] = (),
    seed: int = 0,
    image_root: str | ImageRoot = ".",
    policy: ErrorPolicy | None = None,
    **how: Any,
) -> "Painted":
    """Make an image of each negative caption; no kinds are all. The rest is as in `inpaint`."""
    from hnclip_cli.models.diffusion import Painter

    painter = Painter(model, "generate", **how)
    return Painted(records, folder, painter, kinds, seed, as_root(image_root), policy)


@dataclass(eq=False)
class Painted:
    """The records that `inpaint` and `generate` return, made as they are asked for."""

    _records: Iterable[Mapping[str, Any]]
    _folder: str
    _painter: "Painter"
    _kinds: Collection[str]
    _seed: int
    _root: ImageRoot
    _policy: ErrorPolicy | None
    _counts: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[Record]:
        policy = self._policy or ErrorPolicy()
        with naming(self._folder, "another DIR"):
            os.makedirs(self._folder, exist_ok=True)
        for record in as_records(self._records):
            try:
                self._paint(record, policy)
            except InputError as error:
                policy.bad(error)
            else:
                yield record

    def summary(self) -> list[str]:
        """How many images there are now, and of which negatives there are none."""
        counts = self._counts
        lines = [f"{counts['made']} images made, {counts['known']} were there"]
        if without := [f"{counts[why]} {why}" for why in (_OTHER_KIND, _NO_PLACE) if counts[why]]:
            lines.append(f"negatives without an image: {', '.join(without)}")
        return lines

    def _paint(self, record: Record, policy: ErrorPolicy) -> None:
        from hnclip_cli.models.diffusion import NotShown

        _ = record.caption, record.id
        checked = record.negatives
        negatives: list[Item] = record["negatives"] if checked else []
        for item, (caption, kind) in zip(negatives, checked, strict=True):
            if self._kinds and kind not in self._kinds:
                self._counts[_OTHER_KIND] += 1
                continue
            try:
                path = self._path(record, item, item.get("prompt", caption))
            except NotShown as error:
                policy.odd(str(error), record.where)
                continue
            if path is not None:
                item["image"] = path
        painted = [item for item in negatives if _has_image(item)]
        if painted:
            record["negatives"] = painted + [item for item in negatives if not _has_image(item)]
            images = [item["image"] for item in painted]
            record["negative_images"] = list(dict.fromkeys([*images, *record.negative_images]))

    def _path(self, record: Record, item: Item, prompt: Any) -> str | None:
        """Of the image of a negative, which is made unless it is there; None without a place."""
        if not isinstance(prompt, str) or not prompt.strip():
            raise record.error("a negative has a bad prompt", got=shorten(prompt), expected="text")
        painter, place = self._painter, None
        if painter.task == "inpaint":
            image = load_image(record, record.image, self._root)
            mask = self._mask(record, item, image)
            if mask is None:
                self._counts[_NO_PLACE] += 1
                return None
            place = image, mask
        content = b"".join(part.tobytes() for part in place or ())
        digest = hashlib.blake2b(content).hexdigest()
        key = hash64(painter.identity, self._seed, record.id, item["caption"], prompt, digest)
        path = os.path.join(self._folder, f"{key:016x}.png")
        if _is_whole(path):
            self._counts["known"] += 1
        else:
            made = painter.paint(prompt, key >> 1, place)  # 63 bits, which any generator takes
            with atomic_output(path, follow_links=False, is_durable=False) as stream:
                made.save(stream, "PNG", compress_level=1)
            self._counts["made"] += 1
        return path if os.path.isabs(path) else os.path.relpath(path, self._root.folder)

    def _mask(self, record: Record, item: Item, image: "Image") -> "Image | None":
        """White where to paint; None where nothing says it."""
        from PIL import Image

        if "mask" not in item:
            box = _box(record, item)
            if box is None:
                return None
            return only(record, Image.new("RGB", image.size, "white"), [box]).convert("L")
        name = item["mask"]
        if not isinstance(name, str) or not name:
            raise record.error("a negative has a bad mask", got=shorten(name), expected="an image")
        mask = load_image(record, name, self._root).convert("L").point(lambda v: 255 * (v > 127))
        if mask.size != image.size:
            raise record.error(
                "a mask is not of the size of its image",
                got=f"{mask.width} x {mask.height} pixels",
                expected=f"{image.width} x {image.height}",
            )
        if not mask.getbbox():
            raise record.error("a mask has no white pixel", got=repr(name))
        return mask


_OTHER_KIND, _NO_PLACE = "of other kinds", "without a mask, or a box for what changes"


def pairs_of(record: Record, benchmark: str) -> Iterator[Item]:
    """InpaintCOCO's form of item for each negative with an image: two images, two captions."""
    for number, item in enumerate(record.get("negatives", [])):
        if _has_image(item):
            kind = item.get("kind", "unspecified")
            concept = CONCEPTS.get(kind, kind)
            crops = {"crops": [*record["crops"], None]} if record.get("crops") else {}
            yield {
                "id": f"{record.id}/{number}",
                "images": [record.image, item["image"]],
                **crops,
                "captions": [record.caption, item["caption"]],
                "truth": [[0, 0], [1, 1]],
                "benchmark": benchmark,
                "subset": concept,
                "tags": {"concept": concept},
            }


def _has_image(item: Item) -> bool:
    return isinstance(item.get("image"), str)


def _box(record: Record, item: Item) -> Box | None:
    """The box of a negative: its own, or the only one of the words nearest to its change."""
    if item.get("box") is not None:
        if not is_box(item["box"]):
            raise record.error(
                "a negative has a bad box",
                got=shorten(item["box"]),
                expected="[left, top, width, height] in pixels",
            )
        return _box_of(item["box"])
    caption = record.caption
    found: dict[int, set[Box]] = {}
    for words, box in _named_boxes(record):
        for place in re.finditer(
            rf"(?<!\w){re.escape(words)}(?:e?s)?(?!\w)", caption, re.IGNORECASE
        ):
            for start, end, _ in _edits(caption, item):
                if place.start() < end and start < place.end():
                    distance = 0
                elif end <= place.start() and _BETWEEN.fullmatch(caption, end, place.start()):
                    distance = place.start() - end
                else:
                    continue
                found.setdefault(distance, set()).add(box)
    nearest = found[min(found)] if found else set()
    return nearest.pop() if len(nearest) == 1 else None


def _edits(caption: str, item: Item) -> list[Edit]:
    with contextlib.suppress(KeyError, TypeError, ValueError):  # none, or of somebody else's form
        edits = [(start, end, text) for start, end, text in item["edits"]]
        if apply_edits(caption, edits) == item["caption"]:
            return edits
    return edit_between(caption, item["caption"])


def _named_boxes(record: Record) -> Iterator[tuple[str, Box]]:
    """The boxes of a record with the words for them, in the forms that `inpaint` names."""
    for region in regions_of(record)[0]:
        if region.box and region.text:
            yield region.text, region.box
    for name in ("annotations", "objects"):
        items = record.get(name)
        for thing in items if isinstance(items, list) else []:
            if not isinstance(thing, dict):
                continue
            box = thing.get("bbox") or [thing.get(side) for side in "xywh"]
            words = thing.get("category") or thing.get("names") or thing.get("name")
            if is_box(box):
                for text in words if isinstance(words, list) else [words]:
                    if isinstance(text, str) and text.strip():
                        yield text.strip(), _box_of(box)


def _box_of(sides: Any) -> Box:
    left, top, width, height = sides
    return left, top, width, height


def _is_whole(path: str) -> bool:
    """Whether an image is there that can be decoded to its end."""
    from PIL import Image

    try:
        with open_regular(path) as stream, Image.open(stream, formats=["PNG"]) as image:
            image.load()
            stream.seek(-len(_PNG_END), os.SEEK_END)
            return stream.read() == _PNG_END
    except Exception:  # Pillow's decoders raise nearly anything
        return False
