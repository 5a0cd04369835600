"""Whatever stands in an official file, a reader gives records or an error of one line."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnclip_cli.benchmarks import BENCHMARKS
from hnclip_cli.errors import HnclipError
from hnclip_cli.models import zero_shot
from hnclip_cli.sources.benchmarks import files, karpathy
from hnclip_cli.sources.benchmarks.choices import COMVG_COLUMNS, SVO_COLUMNS
from hnclip_cli.sources.benchmarks.files import Files
from hnclip_cli.sources.benchmarks.foils import CONME_COLUMNS
from hnclip_cli.sources.benchmarks.judged import CXC_COLUMNS
from hnclip_cli.sources.benchmarks.negbench import RETRIEVAL_COLUMNS
from hnclip_cli.sources.benchmarks.pairs import MMVP_COLUMNS
from hnclip_cli.sources.benchmarks.positions import COUNTERCURATE_COLUMNS
from hnclip_cli.sources.benchmarks.regions import CREPE_COLUMNS
from hnclip_cli.streams.jsonl import ErrorPolicy
from hnclip_cli.streams.records import format_record, parse_record
from tests.sources.benchmarks.conftest import Folder
from tests.sources.benchmarks.karpathy.test_word_order import Tagger

CAPTIONS = {"caption": "a", "caption2": "b", "negative_caption": "c", "foil": "d"}
PAIR = {f"{what}{mark}{side}": "a.jpg" for what in ("image", "caption")
        for mark in ("", "_") for side in (0, 1, 2)}  # fmt: skip
REGION = {"image_path": "a.jpg", "true_caption": "a", "false_caption": "b", "bbox_x": 0,
          "bbox_y": 0, "bbox_w": 9, "bbox_h": 9}  # fmt: skip
BLIP = [{"image": "a.jpg", "caption": ["a b c d", "e"]}]
KARPATHY = {"images": [{"filename": "a.jpg", "split": "test", "sentences": [{"raw": "a"}]}]}

JSON_FILES = {
    "sugarcrepe": ("add_att.json", {"0": {"filename": "a.jpg", **CAPTIONS}}),
    "sugarcrepe-pp": ("swap_att.json", [{"filename": "a.jpg", **CAPTIONS}]),
    "aro-vg-relation": ("visual_genome_relation.json", [{**REGION, "relation_name": "on"}]),
    "aro-vg-attribution": (
        "visual_genome_attribution.json", [{**REGION, "attributes": ["red", "open"]}],
    ),
    "aro-coco-order": ("coco_karpathy_test.json", BLIP),
    "aro-flickr-order": ("flickr30k_test.json", BLIP),
    "valse": ("existence.json", {"a": {"image_file": "a.jpg", "linguistic_phenomena": "x",
                                       "mturk": {"caption": 3}, **CAPTIONS}}),
    "vl-checklist": ("data.json", [["a.jpg", {"POS": ["a"], "NEG": ["b"]}]]),
    "winoground": ("examples.jsonl", PAIR),
    "eqben": ("all_select.json", {"v": [PAIR, PAIR]}),
    "imagecode": ("valid_data.json", {"a": {"0": "x"}}),
    "whatsup": ("controlled_images_dataset.json",
                [{"image_path": "data/a_on_b.jpg", "caption_options": ["x", "y"]}]),
    "colorswap": ("test.json", [{**PAIR, "image_source": "x"}]),
    "spec": ("count/image2text.json", [{"query": "a.jpg", "keys": ["x", "y"], "label": 1}]),
    "coco-retrieval": ("dataset_coco.json", KARPATHY),
    "flickr30k-retrieval": ("flickr30k_test.json", BLIP),
    "cola-single": ("COLA_singleobjects_benchmark_PACO.json",
                    {"labels": ["a"], "data": [["a.jpg", [1], [1]], ["a.jpg", [], [0], [1]]]}),
    "sdci": ("complete/a.json",
             {"image": "a.jpg", "mask_data": {}, "summaries": {"base": "a"},
              "negatives": {"base": {"swaps": ["b"]}, "m-1-sc": {}},
              "clip_scores": {"base": {"swaps_0": 0.5}}}),
    "dci": ("annotations/a.json", {"image": "a.jpg", "extra_caption": "a"}),
    "half-truths": ("coco_qwen.jsonl",
                    {"image": "a.jpg", "full_truth": "a", "anchor": "b", "half_truth": "c",
                     "triplet_type": "entity"}),
    "docci": ("docci_descriptions.jsonlines",
              {"split": "test", "image_file": "a.jpg", "description": "a"}),
    "iiw": ("IIW-400/data.jsonl", {"image/key": "a", "IIW": "a"}),
    "sharegpt4v-1k": ("share-captioner_coco_lcs_sam_1246k_1107.json",
                      [{"image": "sam/a.jpg", "conversations": [{}, {"value": "a"}]}]),
    "eccv-caption": ("eccv_image_to_caption.json", {"1": [2]}),
    "imagefolder": ("classes.json", {"a": "x"}),
    "coco-counterfactuals": ("examples.jsonl", PAIR),
    "cola": ("COLA_multiobjects_matching_benchmark.json",
             [["https://x.org/1.jpg", "a", "https://x.org/1.jpg", "b"]]),
    "cc-neg": ("ccneg_preprocessed.json",
               {"image_paths": ["/workspace/datasets/cc3m/a.jpg"],
                "annotations": [{"json": {"caption": "a"}, "sop_data": {"negative-prompt": "b"}}]}),
}  # fmt: skip
CSV_FILES = {
    "crepe": ("prod_vg_hard_negs_swap_complexity_5.csv", CREPE_COLUMNS),
    "svo-probes": ("svo_probes.csv", SVO_COLUMNS),
    "mmvp": ("Questions.csv", MMVP_COLUMNS),
    "comvg": ("ComVG.csv", COMVG_COLUMNS),
    "conme": ("replace-att.csv", CONME_COLUMNS),
    "countercurate": ("test_up_down_.csv", COUNTERCURATE_COLUMNS),
    "negbench": ("synthetic_retrieval_v1.csv", RETRIEVAL_COLUMNS),
    "cxc": ("sits_test.csv", CXC_COLUMNS),
}
PATHS = ("a.jpg", "../a.jpg", "/etc/passwd", "a/b/../../../c", "1", "\0", "", " ")

scalars = (
    st.none() | st.booleans() | st.integers(-2, 12) | st.floats(allow_nan=False)
    | st.text(max_size=5) | st.sampled_from(PATHS)
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
cells = st.sampled_from(
    ["", "1", "7", "a.jpg", "../a", "True", "False", "['x']", "[", '"', "a\nb", "é", "1e999", "a,b"]
)


def places(node):
    """The way to every value inside of a value."""
    inner = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in inner:
        yield [key]
        if isinstance(value, dict | list):
            yield from ([key, *way] for way in places(value))


@st.composite
def damaged(draw, content):
    """Content with something else in some places, or nothing."""
    content = copy.deepcopy(content)
    for _ in range(draw(st.integers(0, 2))):
        if not (ways := list(places(content))):
            break
        *way, last = draw(st.sampled_from(ways))
        node = content
        for key in way:
            node = node[key]
        if draw(st.integers(0, 3)):
            node[last] = draw(values)
        else:
            del node[last]
    return json.dumps(draw(values) if draw(st.integers(0, 9)) == 9 else content)


@st.composite
def table(draw, columns, delimiter):
    rows = draw(st.lists(st.lists(cells, max_size=len(columns) + 1), max_size=4))
    header = draw(st.permutations(columns))
    return "\n".join(delimiter.join(row) for row in [header, *rows])


FILES = {name: file for name, (file, _) in (JSON_FILES | CSV_FILES).items()}
CONTENTS = {name: damaged(content) for name, (_, content) in JSON_FILES.items()} | {
    name: table(columns, "\t" if name == "countercurate" else ",")
    for name, (_, columns) in CSV_FILES.items()
}


def prompts(classes, templates):
    return [[name] for name in classes]


@pytest.mark.parametrize("name", FILES)
def test_damaged_content_gives_records_or_errors_that_name_the_file(name, tmp_path, monkeypatch):
    monkeypatch.setattr(karpathy, "Parser", Tagger)
    monkeypatch.setattr(zero_shot, "class_prompts", prompts)
    folder = Folder(tmp_path)
    folder.image("a.jpg", "a.jpg.png", "a_on_b.jpg", "1.jpg", "1/1.jpg", "count/a.jpg")
    folder.image(*(f"a/img{number}.jpg" for number in range(10)))
    folder.write("corpus/v1/Object/b.yaml", "ANNO_PATH: data.json\nIMG_ROOT: ''")
    monkeypatch.setattr(files, "image_size", lambda path: (9, 9))
    folder.write("splits.json", {"test": ["a.json"]})
    numbered = KARPATHY["images"][0] | {"cocoid": 1, "sentences": [{"raw": "a", "sentid": 2}]}
    folder.write("dataset_coco.json", {"images": [numbered]})
    folder.write("eccv_caption_to_image.json", {"2": [1]})
    is_folder = name in ("vl-checklist", "spec", "eccv-caption", "cxc", "iiw", "sdci", "dci")
    path = folder.path if is_folder else folder.path / FILES[name]
    outcomes = set()

    def note(error):
        outcomes.add("error")
        assert "\n" not in str(error)
        assert str(error).startswith((str(folder.path), str(folder.images), "class folder"))

    @settings(max_examples=30)
    @given(CONTENTS[name])
    def check(content):
        folder.write(FILES[name], content)
        policy = ErrorPolicy("skip", note)
        official = Files(name, str(path), str(folder.images), policy)
        try:
            for record in BENCHMARKS[name].read(official):
                outcomes.add("record")
                assert parse_record(format_record(record)).matching
        except HnclipError as error:
            note(error)

    check()
    assert outcomes == {"record", "error"} or name in CSV_FILES


def test_every_reader_of_text_is_tried():
    no_fields = {"urban1k"}  # a file is a caption
    assert set(BENCHMARKS) - set(FILES) == {"inpaintcoco", "bivlc", "vismin"} | no_fields
