"""Official scores against plain loops, and their names and bases."""

import itertools
from collections import defaultdict
from statistics import mean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.benchmarks import BENCHMARKS, Benchmark, Metric, official_metrics
from hnclip_cli.evaluation.measures import leaf_weights
from hnclip_cli.evaluation.tree_of_means import VL_COMPO
from tests.evaluation.test_report import evaluate_records, short

RIGHT, WRONG, TIE = [1.0, 0.0], [0.0, 1.0], [0.5, 0.5]
counter = itertools.count()


def item(scores, benchmark, subset=None, **fields):
    fields |= {"benchmark": benchmark, "image": f"{next(counter)}.jpg"}
    return short(scores, **fields) | ({"subset": subset} if subset else {})


def square(scores, benchmark, subset=None, **fields):
    record = {
        "id": f"s{next(counter)}",
        "images": ["0", "1"],
        "captions": ["c", "d"],
        "truth": [[0, 0], [1, 1]],
        "scores": scores,
        "benchmark": benchmark,
        **fields,
    }
    return record | ({"subset": subset} if subset else {})


def queries(scores, truth, benchmark, subset=None, **fields):
    record = {
        "id": f"q{next(counter)}",
        "images": [f"{i}.jpg" for i in range(len(scores))],
        "captions": [f"caption {i}" for i in range(len(scores[0]))],
        "truth": truth,
        "scores": scores,
        "benchmark": benchmark,
        **fields,
    }
    return record | ({"subset": subset} if subset else {})


def scores_of(*records, **options):
    report = evaluate_records(*records, rounds=20, **options)
    return {
        benchmark: {name: entry["value"] for name, entry in metrics.items()}
        for benchmark, metrics in report["benchmarks"].items()
    }


def test_valse_has_a_mean_of_phenomena_and_one_of_files():
    records = [
        item(RIGHT, "valse", "counting-hard"),
        item(WRONG, "valse", "counting-small-quant"),
        item(WRONG, "valse", "actant-swap"),
        item(WRONG, "valse", "action-replacement"),
        item(RIGHT, "valse", "existence"),
        item(RIGHT, "valse", "existence"),
    ]
    assert scores_of(*records)["valse"] == {
        "accuracy, mean of 3 phenomena": pytest.approx((0.5 + 0 + 1) / 3),
        "accuracy, mean of 5 files": pytest.approx(2 / 5),
        "accuracy, micro": 0.5,
    }


def test_sugarcrepe_pools_inside_replace_swap_and_add():
    records = [
        *[item(RIGHT, "sugarcrepe", "replace_obj")] * 3,
        item(WRONG, "sugarcrepe", "replace_att"),
        item(TIE, "sugarcrepe", "swap_obj"),
        item(RIGHT, "sugarcrepe", "add_att"),
    ]
    assert scores_of(*records)["sugarcrepe"] == {
        "accuracy, mean of 3 forms": pytest.approx((0.75 + 0 + 1) / 3),
        "accuracy, mean of 4 files": pytest.approx((1 + 0 + 0 + 1) / 4),
        "accuracy, micro": pytest.approx(4 / 6),
    }


def test_sugarcrepe_pp_needs_both_captions_above_the_negative():
    truth = [[0, 0], [0, 1]]
    records = [
        queries([[0.9, 0.8, 0.5]], truth, "sugarcrepe-pp", "swap_obj"),
        queries([[0.9, 0.4, 0.5]], truth, "sugarcrepe-pp", "swap_obj"),
        queries([[0.9, 0.5, 0.5]], truth, "sugarcrepe-pp", "replace_att"),
    ]
    assert scores_of(*records)["sugarcrepe-pp"] == {
        "ITT, mean of 2 files": 0.25,
        "ITT, replace_att": 0.0,
        "ITT, swap_obj": 0.5,
        "ITT, micro": pytest.approx(1 / 3),
    }


def test_sugarcrepe_pp_needs_its_captions_to_be_closest_to_each_other():
    truth, ones = [[0, 0], [0, 1]], [[0.9, 0.8, 0.5]]
    near = [[1, 0.7, 0.6], [0.7, 1, 0.5], [0.6, 0.5, 1]]
    far = [[1, 0.7, 0.6], [0.7, 1, 0.8], [0.6, 0.8, 1]]  # the second is nearer to the negative
    tied = [[1, 0.7, 0.7], [0.7, 1, 0.1], [0.7, 0.1, 1]]
    records = [
        queries(ones, truth, "sugarcrepe-pp", subset, caption_scores=scores)
        for scores, subset in ((near, "swap_obj"), (far, "swap_obj"), (tied, "replace_att"))
    ]
    found = scores_of(*records)["sugarcrepe-pp"]
    assert {name: value for name, value in found.items() if name.startswith("TOT")} == {
        "TOT, mean of 2 files": 0.25,
        "TOT, replace_att": 0.0,
        "TOT, swap_obj": 0.5,
        "TOT, micro": pytest.approx(1 / 3),
    }


def test_aro_averages_relations_and_pairs_of_attributes_that_are_frequent():
    relation = [
        *[item(RIGHT, "aro-vg-relation", tags={"relation": "on"}) for _ in range(3)],
        item(WRONG, "aro-vg-relation", tags={"relation": "near"}),
    ]
    attribution = [
        *[item(RIGHT, "aro-vg-attribution", tags={"attributes": "a_b"}) for _ in range(25)],
        *[item(WRONG, "aro-vg-attribution", tags={"attributes": "c_d"}) for _ in range(24)],
    ]
    found = scores_of(*relation, *attribution)
    assert found["aro-vg-relation"] == {
        "accuracy, mean of 2 relations (not official: symmetric relations count)": 0.5,
        "accuracy, micro": 0.75,
    }
    assert found["aro-vg-attribution"] == {
        "accuracy, mean of 1 pairs of >= 25": 1.0,
        "accuracy, micro": pytest.approx(25 / 49),
    }
    left_out = scores_of(*relation, without=["near"])["aro-vg-relation"]
    assert left_out == {"accuracy, mean of 1 relations": 1.0, "accuracy, micro": 0.75}


def test_a_metric_without_an_item_is_left_out():
    rare = item(RIGHT, "aro-vg-attribution", tags={"attributes": "a_b"})
    assert scores_of(rare)["aro-vg-attribution"] == {"accuracy, micro": 1.0}
    # No scores of two images: nothing that Winoground's scores could count.
    assert "benchmarks" not in evaluate_records(item(RIGHT, "winoground"))


@pytest.mark.parametrize("benchmark", ["winoground", "colorswap", "inpaintcoco"])
def test_two_images_and_two_captions_have_text_image_and_group_scores(benchmark):
    both, text_only = [[0.9, 0.1], [0.1, 0.9]], [[0.9, 0.8], [0.1, 0.2]]
    assert scores_of(square(both, benchmark), square(text_only, benchmark))[benchmark] == {
        "text score": 1.0,
        "image score": 0.5,
        "group score": 0.5,
    }


def test_eqben_counts_the_three_kubric_sets_as_one():
    good, bad = [[0.9, 0.1], [0.1, 0.9]], [[0.1, 0.9], [0.9, 0.1]]
    records = [
        square(good, "eqben", "eqbenkubric_loc"),
        square(good, "eqben", "eqbenkubric_attr"),
        square(good, "eqben", "eqbenkubric_cnt"),
        square(bad, "eqben", "eqbenag"),
    ]
    found = scores_of(*records)["eqben"]
    assert found["group score, mean of 2 sets"] == 0.5
    assert found["group score"] == 0.75


def test_mmvp_officially_asks_each_statement_for_its_image():
    each_text_right = [[0.9, 0.95], [0.1, 0.96]]
    records = [
        square(each_text_right, "mmvp", "Text", tags={"pattern": "Text"}),
        square([[0, 1], [1, 0]], "mmvp", "Color", tags={"pattern": "Color"}),
    ]
    found = scores_of(*records)["mmvp"]
    assert found["text to image pairs, 2 patterns"] == 0.5
    assert found["group score, mean of 2 patterns"] == 0.0


def test_crepe_ranks_a_caption_among_its_negatives():
    records = [
        item([0.5, 0.1, 0.2, 0.3, 0.4, 0.0], "crepe", "atom"),
        item([0.5, 0.6, 0.5, 0.3, 0.4, 0.0], "crepe", "swap"),
        item([0.5, 0.6, 0.7, 0.8, 0.9, 1.0], "crepe", "negate"),
        item([0.5, 0.6], "crepe", "negate"),
    ]
    found = scores_of(*records)["crepe"]
    assert found["R@1, mean of 3 forms"] == pytest.approx(1 / 3)
    assert found["R@1, negate"] == 0.0
    assert [found[f"R@{k}, micro"] for k in (1, 3, 5, 10)] == [0.25, 0.75, 0.75, 1.0]


def test_imagecode_is_pooled_and_told_apart_by_static_and_video():
    records = [
        queries([[0.9], [0.5], [0.1]], [[0, 0]], "imagecode", "static", tags={"type": "static"}),
        queries([[0.9], [0.5], [0.1]], [[1, 0]], "imagecode", "video", tags={"type": "video"}),
        queries([[0.9], [0.5], [0.1]], [[1, 0]], "imagecode", "video", tags={"type": "video"}),
    ]
    assert scores_of(*records)["imagecode"] == {
        "accuracy, micro": pytest.approx(1 / 3),
        "accuracy, static": 1.0,
        "accuracy, video": 0.0,
    }


@pytest.mark.parametrize(("benchmark", "names", "number"), [
    ("svo-probes", ["subj", "verb", "obj"], "choice of image (vl_compo, ComCLIP)"),
    ("comvg", ["subject", "verb", "object"], "accuracy"),
])  # fmt: skip
def test_choices_of_an_image_are_averaged_over_subject_verb_and_object(benchmark, names, number):
    records = [
        queries([[right], [0.5]], [[0, 0]], benchmark, name)
        for name, right in zip(names, (1, 0, 0), strict=True)
    ]
    records.append(queries([[1], [0.5]], [[0, 0]], benchmark, names[0]))
    found = scores_of(*records)[benchmark]
    assert found[f"{number}, mean of 3 types"] == pytest.approx(1 / 3)
    assert found[f"{number}, subj"] == 1.0 and found[f"{number}, micro"] == 0.5


def whatsup(right, relation, objects, subset="controlled_images_dataset"):
    scores = [1, 0, 0, 0] if right else [0, 1, 0, 0]
    return item(scores, "whatsup", subset, tags={"relation": relation, "set": objects})


def test_whatsup_joins_pairs_and_sets():
    records = [
        *[whatsup(True, r, "mug_table") for r in ("left", "right", "on", "under")],
        *[whatsup(r != "on", r, "cup_chair") for r in ("left", "right", "on", "under")],
        whatsup(True, "left", "hat_box"),  # no partner: in no pair
        item(RIGHT, "whatsup", "coco_qa_one_obj"),
    ]
    assert scores_of(*records)["whatsup"] == {
        "accuracy, mean of 2 subsets": pytest.approx((8 / 9 + 1) / 2),
        "individual, coco_qa_one_obj": 1.0,
        "individual, controlled_images_dataset": pytest.approx(8 / 9),
        "pairs, controlled_images_dataset": 0.75,
        "sets, controlled_images_dataset": 0.5,
    }


def test_spec_has_both_directions_apart_and_their_mean():
    records = [
        queries([[0.1, 0.9]], [[0, 1]], "spec", "count"),
        queries([[0.1, 0.9]], [[0, 0]], "spec", "existence"),
        queries([[0.1], [0.9]], [[0, 0]], "spec", "count"),
    ]
    assert scores_of(*records)["spec"] == {
        "image to text, mean of 2 subsets": 0.5,
        "text to image, mean of 1 subsets": 0.0,
        "mean of 2 directions": 0.25,
    }


def test_vl_checklist_averages_sources_then_aspects_then_families():
    def entry(scores, subset, source):
        family = subset.split("/")[0]
        return item(scores, "vl-checklist", subset, tags={"family": family, "source": source})

    records = [
        entry(RIGHT, "Object/Size/small", "vg"),
        entry(WRONG, "Object/Size/small", "hake"),
        entry(WRONG, "Object/Size/small", "hake"),
        entry(RIGHT, "Object/Size/large", "vg"),
        entry(WRONG, "Relation/action", "vg"),
    ]
    found = scores_of(*records)["vl-checklist"]
    assert found == {
        "accuracy, mean of 2 families": pytest.approx((0.75 + 0) / 2),
        "accuracy, Object": 0.75,
        "accuracy, Relation": 0.0,
        "accuracy, micro": 0.4,
    }


def test_zero_shot_classification_averages_the_prompts_of_a_class():
    scores = [0.9, 0.1, 0.6, 0.5, 0.0, 0.0]  # means 0.5, 0.55, 0
    records = [
        queries([scores], [[0, 0], [0, 1]], "imagefolder", prompts_per_class=2),
        queries([scores], [[0, 2], [0, 3]], "imagefolder", prompts_per_class=2),
    ]
    assert scores_of(*records)["imagefolder"] == {"top-1": 0.5, "top-5": 1.0}


@pytest.mark.parametrize("count", [0, 4, "2", True, None])
def test_prompts_that_do_not_fit_the_captions_are_refused(count):
    record = queries([[1, 0, 0]], [[0, 0]], "imagefolder", prompts_per_class=count)
    with pytest.raises(Exception, match="prompts_per_class"):
        evaluate_records(record)


def test_the_mean_of_twelve_says_of_how_many_and_of_which_parts():
    records = [
        item(RIGHT, "aro-coco-order"),
        item(WRONG, "aro-flickr-order"),
        square([[0.9, 0.1], [0.1, 0.9]], "winoground"),
        item(RIGHT, "mine", "x"),
    ]
    found = evaluate_records(*records)["vl_compo"]
    assert {name: entry["value"] for name, entry in found.items()} == {
        "ARO": 0.5,
        "Winoground": 1.0,
        "comp_avg": 0.75,
    }
    assert (found["ARO"]["parts"], found["ARO"]["official_parts"]) == (2, 4)
    assert (found["comp_avg"]["parts"], found["comp_avg"]["official_parts"]) == (2, 12)
    assert found["Winoground"]["parts"] == found["Winoground"]["official_parts"] == 1


def test_each_of_the_twelve_takes_one_metric_of_each_of_its_benchmarks():
    assert len(VL_COMPO) == 12
    for _, names in VL_COMPO.values():
        for name in names:
            assert sum(metric.vl_compo for metric in official_metrics(name)) == 1


leaves = st.lists(
    st.lists(st.sampled_from("ab"), min_size=1, max_size=3).map(tuple), min_size=1, max_size=6
)


def plain_mean(values):
    """The mean of means of (path, value) by recursion."""
    children = defaultdict(list)
    for path, value in values:
        children[path[:1]].append((path[1:], value))
    if list(children) == [()]:
        return mean(value for _, value in values)
    return mean(plain_mean(inside) for inside in children.values())


@given(leaves)
def test_the_weights_of_leaves_are_those_of_a_mean_of_means(paths):
    # A path that goes on below another would make that one leaf and branch at once.
    paths = sorted({p for p in paths if not any(q != p and q[: len(p)] == p for q in paths)})
    weights = leaf_weights(paths)
    assert sum(weights) == pytest.approx(1)
    values = [float(number**2) for number in range(len(paths))]
    expected = plain_mean(list(zip(paths, values, strict=True)))
    assert sum(weights * values) == pytest.approx(expected)


def test_a_subset_without_a_measured_item_counts_in_no_mean():
    empty = item([0.5], "valse", "plurals") | {"negatives": []}
    found = scores_of(empty, item(RIGHT, "valse", "existence"), item(WRONG, "valse", "relations"))
    assert found["valse"]["accuracy, mean of 2 phenomena"] == 0.5


def test_a_benchmark_of_a_plug_in_is_scored_by_its_own_metric(monkeypatch):
    official = (Metric("hit {}", leaf=lambda place: place.tags, each=True), Metric("R@2", rank=2))
    monkeypatch.setitem(BENCHMARKS.built_in, "mine", Benchmark(lambda files: iter([]), official))
    found = scores_of(
        item([0.5, 0.6, 0.4], "mine", tags="a"),
        item([0.5, 0.6, 0.7], "mine", tags="b"),
        queries([[0.5, 0.7, 0.1]], [[0, 0]], "mine", tags="b"),
    )
    assert found == {"mine": {"hit a": 0.0, "hit b": 0.0, "R@2": pytest.approx(2 / 3)}}


def test_a_single_item_has_scores_and_no_interval():
    report = evaluate_records(item(RIGHT, "sugarcrepe", "swap_obj"))
    entry = report["benchmarks"]["sugarcrepe"]["accuracy, mean of 1 forms"]
    assert (entry["value"], entry["interval"], entry["n"]) == (1.0, None, 1)


def test_all_ties_are_all_wrong_in_official_scores_too():
    records = [item(TIE, "valse", name) for name in ("existence", "plurals", "relations")]
    records.append(square([[0.5, 0.5], [0.5, 0.5]], "winoground"))
    report = evaluate_records(*records, rounds=20)
    for metrics in report["benchmarks"].values():
        for entry in metrics.values():
            assert (entry["value"], entry["num_ties"]) == (0.0, entry["n"])
    assert report["vl_compo"]["comp_avg"]["value"] == 0.0


def test_the_interval_of_a_mean_of_means_is_that_of_a_plain_bootstrap():
    rng = np.random.default_rng(0)
    names = ["counting-hard", "counting-small-quant", "existence"]
    rights = {
        name: rng.random(40) < share for name, share in zip(names, (0.2, 0.5, 0.9), strict=True)
    }
    records = [
        item(RIGHT if right else WRONG, "valse", name)
        for name, found in rights.items()
        for right in found
    ]
    report = evaluate_records(*records, rounds=4000)
    pool = [(name, right) for name, found in rights.items() for right in found]
    draws = []
    for _ in range(4000):
        drawn = defaultdict(list)
        for index in rng.integers(len(pool), size=len(pool)):
            drawn[pool[index][0]].append(pool[index][1])
        counting = (np.mean(drawn[names[0]]) + np.mean(drawn[names[1]])) / 2
        draws.append((counting + np.mean(drawn[names[2]])) / 2)
    entry = report["benchmarks"]["valse"]["accuracy, mean of 2 phenomena"]
    assert entry["interval"] == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.02)
