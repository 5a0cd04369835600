import re

import pytest

from docs.generate_benchmarks import PAGE, render
from hnclip_cli.benchmarks import BENCHMARKS
from hnclip_cli.errors import HnclipError
from hnclip_cli.sources.benchmarks import listing, listing_table, read_benchmark

CONTRACT = (
    "sugarcrepe sugarcrepe-pp aro-vg-relation aro-vg-attribution aro-coco-order aro-flickr-order "
    "valse vl-checklist winoground crepe eqben imagecode svo-probes whatsup mmvp colorswap spec "
    "inpaintcoco comvg conme coco-retrieval flickr30k-retrieval imagefolder "
    "bivlc vismin coco-counterfactuals cola countercurate cc-neg negbench "
    "eccv-caption cxc cola-single sdci dci half-truths urban1k docci iiw sharegpt4v-1k"
)


def test_every_benchmark_is_registered():
    assert list(BENCHMARKS) == CONTRACT.split()


def test_a_name_that_is_none_is_refused():
    with pytest.raises(
        HnclipError, match=r"no benchmark 'sugarcrep'; expected one of: .* try sugarcrepe"
    ):
        read_benchmark("sugarcrep", ".", ".")


def test_each_says_what_path_is_where_files_come_from_and_what_is_measured():
    entries = list(listing())
    assert [entry["name"] for entry in entries] == list(BENCHMARKS)
    for entry in entries:
        facts = {key: value for key, value in entry.items() if key not in ("name", "items")}
        assert list(facts) == ["path", "images", "source", "metric", "aggregation"]
        assert all(isinstance(fact, str) and fact for fact in facts.values())
        assert entry["items"] is None or entry["items"] > 0
        assert entry["name"] == "imagefolder" or entry["source"].startswith("https://")


def test_the_table_has_a_line_a_benchmark_under_its_headings():
    heading, *lines = listing_table().splitlines()
    assert heading.split() == ["NAME", "ITEMS", "METRIC", "SOURCE"]
    assert [line.split()[0] for line in lines] == list(BENCHMARKS)
    starts = {line.index(BENCHMARKS[line.split()[0]].metric) for line in lines}
    assert starts == {heading.index("METRIC")}


def test_the_page_of_every_benchmark_is_up_to_date():
    assert PAGE.read_text() == render(), "run: python docs/generate_benchmarks.py"
    assert re.findall(r"^## (.+)$", PAGE.read_text(), re.MULTILINE) == list(BENCHMARKS)
