"""Write docs/models.md: every architecture family of open_clip's registry, shrunk, through hnclip.

python docs/generate_models.py

A family is the names whose configurations differ in sizes only. Of each, one model is built with
random weights, a few layers and a tokenizer of a few words, because nothing is downloaded. It is
embedded with, trained for one step, saved and loaded again; every time open_clip's own code
computes the same features from the same folder.
"""

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import open_clip
import timm
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import hnclip_cli as hnclip
from hnclip_cli.errors import HnclipError
from hnclip_cli.models.load import found_model, quiet_open_clip
from hnclip_cli.models.loading.folder import CONFIG_NAME, TOWER_NAME, WEIGHTS_NAME
from hnclip_cli.sources.scenes.records import scene_records

PAGE = Path(__file__).parent / "models.md"
Config = dict[str, Any]

# Keys whose values are sizes, or names of towers of several sizes.
SIZES = {
    "image_size", "layers", "width", "head_width", "patch_size", "mlp_ratio", "heads",
    "context_length", "vocab_size", "timm_model_name", "hf_model_name", "hf_tokenizer_name",
    "eos_id", "timm_drop", "timm_drop_path",
}  # fmt: skip
# How a constructor of timm is told of fewer layers.
FEWER = ({"depth": 2}, {"depths": (1, 1, 1, 1)}, {"layers": (1, 1, 1, 1)}, {})
WORDS = ["<s>", "<pad>", "</s>", "<unk>", "a", "red", "green", "blue", "circle", "square", "and"]
SMALL = {"vocab_size": len(WORDS), "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
BERT = SMALL | {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
    "max_position_embeddings": 128,
}  # fmt: skip
TOWERS: Mapping[str, Config] = {
    "roberta-base": {"model_type": "roberta", **BERT},
    "xlm-roberta": {"model_type": "xlm-roberta", **BERT},
    "google/mt5": {
        "model_type": "mt5", **SMALL, "d_model": 32, "d_ff": 64, "d_kv": 16, "num_layers": 2,
        "num_heads": 2,
    },
    "facebook/nllb": {
        "model_type": "m2m_100", **SMALL, "d_model": 32, "encoder_layers": 2, "decoder_layers": 1,
        "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64, "max_position_embeddings": 128,
    },
}  # fmt: skip


def families() -> list[list[str]]:
    """The names of open_clip's registry, those that differ in sizes only together."""
    found = defaultdict(list)
    for name in open_clip.list_models():
        if name.startswith("hnclip-"):  # our own
            continue
        config = open_clip.get_model_config(name)
        rest = [sorted((k, str(v)) for k, v in config.items() if not k.endswith(("_cfg", "_dim")))]
        for tower in ("vision_cfg", "text_cfg"):
            values = config[tower].items()
            rest.append(sorted((k, str(v)) for k, v in values if k not in SIZES))
        found[(*towers(config), str(rest))].append(name)
    return sorted(found.values())


def towers(config: Config) -> tuple[str, str]:
    """What the towers are, in words."""
    vision, text = config["vision_cfg"], config["text_cfg"]
    image = "ResNet" if isinstance(vision.get("layers"), list) else "ViT"
    if name := vision.get("timm_model_name"):
        image = "timm: " + timm.model_entrypoint(name).__module__.rpartition(".")[2]
    words = f"transformers: {_tower(name)['model_type']}" if (name := _hub(text)) else "CLIP's"
    if text.get("hf_tokenizer_name") and not name:
        words += ", other tokenizer"
    return image, words + (", decoder" if "multimodal_cfg" in config else "")


def _hub(text: Config) -> str:
    return str(text.get("hf_model_name") or "")


def _tower(name: str) -> Config:
    return next(tower for start, tower in TOWERS.items() if name.startswith(start))


def shrink(config: Config) -> Config:
    """A configuration of the same kind with a few layers."""
    vision, text = config["vision_cfg"], config["text_cfg"]
    if isinstance(vision.get("layers"), list):
        vision |= {"layers": [1, 1, 1, 1], "width": 16, "image_size": 64}
    elif not vision.get("timm_model_name"):
        vision |= {"layers": 2, "width": 64, "head_width": 32, "patch_size": 16, "image_size": 32}
    if not _hub(text):
        is_projected = text.get("proj_type") != "none"  # else the width is that of the embeddings
        text |= {"layers": 2} | ({"width": 64, "heads": 2} if is_projected else {})
        if text.get("hf_tokenizer_name"):
            text |= {"vocab_size": len(WORDS), "eos_id": SMALL["eos_token_id"]}
    if "multimodal_cfg" in config:
        config["multimodal_cfg"] |= {"layers": 1, "width": 64, "heads": 2}
    return config


def shrink_timm() -> None:
    """From now on timm makes models of fewer layers, in this process."""
    create = timm.create_model

    def create_small(name: str, **settings: Any) -> Any:
        for fewer in FEWER:
            try:
                return create(name, **settings, **fewer)
            except TypeError:  # it knows no such argument
                continue
        raise AssertionError(name)

    timm.create_model = create_small


def write_folder(config: Config, folder: Path) -> None:
    """A model of random weights as open_clip would save it, with all that it needs."""
    folder.mkdir()
    built = json.loads(json.dumps(config))
    if name := _hub(config["text_cfg"]):
        (folder / TOWER_NAME).write_text(json.dumps(_tower(name)))
        built["text_cfg"] |= {"hf_model_name": str(folder), "hf_model_pretrained": False}
    if config["text_cfg"].get("hf_tokenizer_name"):
        _write_tokenizer(folder)
    (folder / CONFIG_NAME).write_text(json.dumps({"model_cfg": built}))
    torch.manual_seed(0)
    module = open_clip.create_model(
        f"local-dir:{folder}", load_weights=False, pretrained_text=False
    )
    (folder / CONFIG_NAME).write_text(json.dumps({"model_cfg": config}))
    weights = {key: value.clone() for key, value in module.state_dict().items()}
    save_file(weights, folder / WEIGHTS_NAME)


def _write_tokenizer(folder: Path) -> None:
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    special = {"pad": "<pad>", "eos": "</s>", "sep": "</s>", "unk": "<unk>"}
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **{f"{name}_token": word for name, word in special.items()}
    ).save_pretrained(folder)


@torch.inference_mode()
def features(clip: Any, records: list[dict[str, Any]]) -> list[torch.Tensor]:
    """Those of the images and of the captions, of unit length."""
    pixels = torch.stack([clip.preprocess(Image.open(record["image"])) for record in records])
    captions = [record["caption"] for record in records]
    return [clip.encode_images(pixels), clip.encode_captions(captions)]


@torch.inference_mode()
def open_clips_own(folder: Path, records: list[dict[str, Any]]) -> list[torch.Tensor]:
    """The same by open_clip alone, of the model in a folder."""
    with found_model(str(folder)) as (source, config):
        module, _, preprocess = open_clip.create_model_and_transforms(
            source, force_quick_gelu=config.get("quick_gelu", False)
        )
        tokens = open_clip.get_tokenizer(source)([record["caption"] for record in records])
    module.eval()
    pixels = torch.stack([preprocess(Image.open(record["image"])) for record in records])
    return [module.encode_image(pixels, normalize=True), module.encode_text(tokens, normalize=True)]


def gaps(some: list[torch.Tensor], others: list[torch.Tensor]) -> list[float]:
    """The largest difference of each two."""
    return [float((a - b).abs().max()) for a, b in zip(some, others, strict=True)]


def measure(name: str, records: list[dict[str, Any]], work: Path) -> str:
    """The cells of one family."""
    start, run = work / "start", work / "run"
    settings = hnclip.TrainConfig(steps=1, batch_size=len(records), lr=1e-3, workers=0)
    try:
        write_folder(shrink(open_clip.get_model_config(name)), start)
        ours = features(hnclip.load(str(start), device="cpu"), records)
        before = max(gaps(ours, open_clips_own(start, records)))
        hnclip.train(
            records, settings, model=str(start), output=str(run), device="cpu", image_root="/"
        )
        again = features(hnclip.load(str(run), device="cpu"), records)
        after = max(gaps(again, open_clips_own(run, records)))
    except HnclipError as error:
        return f"refused: {str(error).replace(str(work), 'DIR')} | | |"
    return f"{before:.0e} | {min(gaps(ours, again)):.0e} | {after:.0e} |"


def draw(folder: Path) -> list[dict[str, Any]]:
    """A few records with negatives, to train on."""
    records = list(scene_records(str(folder), 4))
    for number, record in enumerate(records):
        record["image"] = str(folder / record["image"])
        other = records[number - 1]["caption"]
        record["negatives"] = [{"caption": other, "kind": "other", "edits": []}]
    return records


def rows() -> Iterator[str]:
    """A line of the table for each family."""
    shrink_timm()
    with tempfile.TemporaryDirectory() as folder, quiet_open_clip():
        records = draw(Path(folder, "scenes"))
        for number, names in enumerate(families()):
            work = Path(folder, str(number))
            work.mkdir()
            image, text = towers(open_clip.get_model_config(names[0]))
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            yield f"| {names[0]}{more} | {image} | {text} | {measure(names[0], records, work)}"
            print(names[0], flush=True)


def main() -> None:
    table = "\n".join(rows())
    PAGE.write_text(f"""# Models

*Reference.* The {sum(map(len, families()))} names of open_clip {open_clip.__version__}, and how \
near hnclip's features are to open_clip's.

A row is a family: names whose configurations differ only in sizes. Its first name was built small,
with a few layers and random weights. hnclip embedded with this model, trained it for one step,
saved it and loaded it again. Tokenizers and text towers of transformers are small stand-ins.

- *before*, *after*: the largest difference from open_clip's features of the same folder, before and
  after the step. Features have unit length.
- *step*: what the step changed, of images or captions, whichever changed less.

hnclip [refuses](train.md#models) a name that the installed open_clip does not know.

`python docs/generate_models.py` writes this page.

| names | image tower | text tower | before | step | after |
|---|---|---|---|---|---|
{table}
""")


if __name__ == "__main__":
    main()
