"""Pipelines of ``diffusers`` that make an image of words, or paint into a part of one.

Weights are read from safetensors only, code that comes with a model is never run, and nothing is
fetched. A safety checker stays where the pipeline has one.
"""

import hashlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from hnclip_cli.errors import HnclipError
from hnclip_cli.models.device import resolve_device
from hnclip_cli.models.language import SAFELY, loading, model_folder, quiet_transformers

if TYPE_CHECKING:
    from PIL.Image import Image

Task = Literal["inpaint", "generate"]
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

_PIPELINES = {"inpaint": "AutoPipelineForInpainting", "generate": "AutoPipelineForText2Image"}
# Of a file of weights, at its beginning, middle and end: enough to tell two trainings apart.
_BYTES_READ = 1 << 16


class NotShown(Exception):
    """The pipeline made no image that can be used; the text says why."""


class Painter:
    """A pipeline in evaluation mode that makes one image at a time, so that none depends on others.

    Args:
        name: a folder with ``model_index.json``, or the name of such a model in the cache of the
            Hugging Face hub.
        task: ``inpaint`` paints into an image, ``generate`` makes a whole one.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        steps: of denoising; None leaves it to the pipeline.
        guidance: the scale of classifier-free guidance; None leaves it to the pipeline.
        size: pixels of the longer side; None leaves it to the pipeline.

    Attributes:
        identity: of the model and these settings but the device; they decide an image.

    Raises:
        HnclipError: ``diffusers`` is not installed, there is no such model or device, it is no
            pipeline for the task, or its weights are not safetensors.
    """

    def __init__(
        self,
        name: str,
        task: Task,
        *,
        device: str = "auto",
        precision: str = "fp32",
        steps: int | None = None,
        guidance: float | None = None,
        size: int | None = None,
    ) -> None:
        self.task = task
        chosen, diffusers = resolve_device(device), _diffusers()
        with loading(name):
            folder = model_folder(name)
            auto = getattr(diffusers, _PIPELINES[task])
            pipeline = auto.from_pretrained(str(folder), use_safetensors=True, **SAFELY)
        pipeline.set_progress_bar_config(disable=True)
        self._pipeline = pipeline.to(chosen, DTYPES[precision])
        self._multiple = 2 * getattr(pipeline, "vae_scale_factor", 8)  # some join four cells to one
        self._size = size
        given = {"num_inference_steps": steps, "guidance_scale": guidance}
        self._how = {key: value for key, value in given.items() if value is not None}
        self.identity = f"{_fingerprint(folder)} {task} {precision} {steps} {guidance} {size}"

    def paint(self, prompt: str, seed: int, place: "tuple[Image, Image] | None" = None) -> "Image":
        """An image of what the prompt says, RGB.

        Args:
            prompt: what is to be there.
            seed: of the noise.
            place: for ``inpaint`` an image, RGB, and a mask of its size, mode L: where that is 255
                the image is painted anew, and where it is 0 its pixels stay as they are.

        Raises:
            NotShown: nothing has changed, or there is nothing to see.
        """
        if place is not None:
            return self._inpaint(prompt, seed, *place)
        size = self._size and self._rounded(self._size)
        return self._shown(prompt, seed, **({"width": size, "height": size} if size else {}))

    def _inpaint(self, prompt: str, seed: int, image: "Image", mask: "Image") -> "Image":
        from PIL import Image

        longest = self._size or self._own_size()
        scale = longest / max(image.size)
        width, height = (self._rounded(side * scale) for side in image.size)
        small = {
            "image": image.resize((width, height), Image.Resampling.LANCZOS),
            "mask_image": mask.resize((width, height), Image.Resampling.NEAREST),
        }
        painted = self._shown(prompt, seed, width=width, height=height, **small)
        painted = painted.resize(image.size, Image.Resampling.LANCZOS)
        result = Image.composite(painted, image, mask)
        if result.tobytes() == image.tobytes():
            raise NotShown("images in which nothing has changed")
        return result

    def _shown(self, prompt: str, seed: int, **how: Any) -> "Image":
        # Noise of the CPU is the same on all devices.
        noise = torch.Generator("cpu").manual_seed(seed)
        with torch.inference_mode():
            made = self._pipeline(prompt=prompt, generator=noise, **self._how, **how)
        if any(getattr(made, "nsfw_content_detected", None) or ()):
            raise NotShown("images withheld by the pipeline's safety checker")
        image: Image = made.images[0].convert("RGB")
        extrema: Any = image.getextrema()
        if all(low == high for low, high in extrema):
            raise NotShown("images of one flat color")  # as where half precision overflows
        return image

    def _own_size(self) -> int:
        """The longer side that the pipeline was trained for, in pixels."""
        part = getattr(self._pipeline, "unet", None) or getattr(self._pipeline, "transformer", None)
        cells = getattr(getattr(part, "config", None), "sample_size", None)
        return cells * self._pipeline.vae_scale_factor if isinstance(cells, int) else 512

    def _rounded(self, side: float) -> int:
        return max(1, round(side / self._multiple)) * self._multiple


def _diffusers() -> Any:
    """The package, without its talk."""
    quiet_transformers("inpaint")  # which it builds on
    try:
        import diffusers
    except ImportError:
        hint = "pip install 'hnclip[inpaint]'"
        raise HnclipError("diffusers is not installed", hint=hint) from None
    warnings.filterwarnings("ignore", module="diffusers")
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    return diffusers


def _fingerprint(folder: Path) -> str:
    """Of the files of a model: their names, sizes and some of their bytes."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".json", ".safetensors", ".txt", ".model"):
            continue
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder)}\0{size}\0".encode())
        with open(path, "rb") as stream:
            for start in (0, size // 2, max(0, size - _BYTES_READ)):
                stream.seek(start)
                digest.update(stream.read(_BYTES_READ))
    return digest.hexdigest()
