"""The scatter plot: where its marks are, and what its labels may hold."""

import xml.etree.ElementTree as ET

import pytest

from hnclip_cli.evaluation.pages.scatter import Axis, scatter_svg

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*points):
    return ET.fromstring(scatter_svg(points, "composition, %", "retrieval, %"))


def circles(svg):
    return [(float(c.get("cx")), float(c.get("cy"))) for c in svg.iter(f"{SVG}circle")]


def test_more_lies_to_the_right_and_higher_up():
    (clip_x, clip_y), (ours_x, ours_y) = circles(drawn(("clip", 48, 18), ("ours", 65.5, 17)))
    assert clip_x < ours_x and clip_y < ours_y


def test_error_bars_end_where_the_intervals_do():
    svg = drawn(("a", 50, 10, (40, 60), None), ("b", 40, 12), ("c", 60, 8))
    centers = dict(zip("abc", circles(svg), strict=True))
    bars = [line for line in svg.iter(f"{SVG}line") if line.get("class") == "bar"]
    assert [float(bars[0].get(end)) for end in ("x1", "x2")] == [centers["b"][0], centers["c"][0]]
    assert bars[1].get("y1") == bars[1].get("y2")  # no interval: nothing to see


def test_axes_have_round_ticks_that_hold_all_values():
    axis = Axis.around([0.123, 0.187], 0, 100)
    texts = [text for _, text in axis.ticks()]
    assert texts == ["0.10", "0.12", "0.14", "0.16", "0.18", "0.20"]
    assert next(text for _, text in Axis.around([-3, -3], 0, 100).ticks()).startswith("−")


def test_names_are_text_and_lie_on_nothing():
    hostile = '<script>alert(1)</script>"'
    svg = drawn((hostile, 1, 1), *[(f"model {n}", 1 + n / 100, 1) for n in range(4)])
    names = [word for word in svg.iter(f"{SVG}text") if word.get("class") == "name"]
    assert names[0].text == hostile
    assert list(svg.iter(f"{SVG}script")) == []
    places = {(word.get("x"), word.get("y")) for word in names}
    assert len(places) == 5


@pytest.mark.parametrize("points", [[], [("a", float("nan"), 1)], [("a", 1, 1, (0, float("inf")))]])
def test_what_cannot_be_drawn_is_refused(points):
    with pytest.raises(ValueError, match="finite numbers"):
        scatter_svg(points, "x", "y")
