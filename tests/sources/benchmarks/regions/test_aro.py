import pytest

from hnclip_cli.errors import InputError

ITEM = {
    "image_path": "2370799.jpg",
    "true_caption": "the door is to the left of the shirt",
    "false_caption": "the shirt is to the left of the door",
    "bbox_x": 12,
    "bbox_y": 0,
    "bbox_w": 300,
    "bbox_h": 199,
}
RELATION = {**ITEM, "relation_name": "to the left of"}
ATTRIBUTION = {**ITEM, "attributes": ["crouching", "open"]}


@pytest.fixture(autouse=True)
def photograph(folder):
    folder.image("2370799.jpg")


def test_a_relation_is_a_crop_with_its_two_captions(folder):
    folder.write("visual_genome_relation.json", [RELATION])
    (record,) = folder.read("aro-vg-relation")
    assert record == {
        "id": "aro-vg-relation/visual_genome_relation/0",
        "image": f"{folder.images}/2370799.jpg",
        "crops": [[12, 0, 300, 199]],
        "caption": ITEM["true_caption"],
        "negatives": [
            {
                "caption": ITEM["false_caption"],
                "kind": "swap-object",
                "edits": [(4, 36, "shirt is to the left of the door")],
            }
        ],
        "benchmark": "aro-vg-relation",
        "subset": "visual_genome_relation",
        "tags": {"relation": "to the left of"},
    }


def test_symmetric_relations_become_records_too_since_only_the_average_leaves_them_out(folder):
    folder.write("visual_genome_relation.json", [{**RELATION, "relation_name": "near"}])
    assert folder.read("aro-vg-relation")[0]["tags"] == {"relation": "near"}


def test_an_attribution_is_tagged_with_its_pair_of_attributes(folder):
    folder.write("visual_genome_attribution.json", [ATTRIBUTION])
    (record,) = folder.read("aro-vg-attribution")
    assert record["tags"] == {"attributes": "crouching_open"}
    assert record["negatives"][0]["kind"] == "swap-attribute"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bbox_w": "wide"}, 'field "bbox_w" is no number'),
        ({"bbox_x": None}, 'field "bbox_x" is no number'),
        ({"bbox_x": True}, 'field "bbox_x" is no number'),
        ({"relation_name": 5}, 'field "relation_name" has the wrong type'),
        ({"image_path": "/etc/passwd"}, "image leaves its folder; got '/etc/passwd'"),
        ({"image_path": "../images/2370799.jpg"}, "image leaves its folder"),
    ],
)
def test_a_bad_item_is_named(folder, change, message):
    folder.write("visual_genome_relation.json", [{**RELATION, **change}])
    with pytest.raises(InputError) as raised:
        folder.read("aro-vg-relation")
    start = f"{folder.path}/visual_genome_relation.json: item '0': "
    assert str(raised.value).startswith(start + message)
