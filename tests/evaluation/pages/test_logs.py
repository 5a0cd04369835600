"""Logs of training as series."""

import pytest

from hnclip_cli.errors import InputError
from hnclip_cli.evaluation.pages.logs import MAX_POINTS, run_of, thinned
from hnclip_cli.evaluation.pages.show import show
from hnclip_cli.streams.jsonl import ErrorPolicy


def line(step, **fields):
    return {"step": step, "loss": 1 / (1 + step), "lr": 1e-3, "epoch": step / 10, **fields}


def series(*lines, policy=None):
    run = run_of("log.jsonl", lines, policy or ErrorPolicy())
    return run["axes"], {(s["group"], s["name"]): s["points"] for s in run["series"]}


def test_terms_thresholds_rates_and_validation_have_their_groups():
    val = {
        "accuracy": {"pair": 0.5},
        "by": {"kind": {"swap-noun": {"pair": 0.25}}},
        "retrieval": {"image_to_text": {"R@1": 0.125}},
    }
    _, found = series(
        {"step": 0, "val": val},
        line(1, imc=0.5, thresholds={"swap-noun": 2.0}, samples_per_second=9),
    )
    assert found == {
        ("Loss", "loss"): [(1, 0.5)],
        ("Loss", "imc"): [(1, 0.5)],
        ("Validation", "pair accuracy"): [(0, 0.5)],
        ("Validation", "image to text R@1"): [(0, 0.125)],
        ("Validation by kind: pair accuracy", "swap-noun"): [(0, 0.25)],
        ("Thresholds by kind", "swap-noun"): [(1, 2.0)],
        ("Optimization", "lr"): [(1, 1e-3)],
        ("Speed", "samples_per_second"): [(1, 9.0)],
    }


def test_of_steps_that_a_resumed_run_repeats_the_later_ones_count():
    axes, found = series(line(1), line(2), line(3, loss=9), line(2), line(3, loss=4))
    assert axes["step"] == [1, 2, 3]
    assert [y for _, y in found["Loss", "loss"]] == [0.5, pytest.approx(1 / 3), 4]


def test_time_counts_from_the_first_line_and_may_be_a_date():
    axes, _ = series(line(1, time=1000.0), line(2, time=1007.5))
    assert axes["time"] == [0, 7.5]
    axes, _ = series(line(1, time="2026-01-01T00:00:00"), line(2, time="2026-01-01T00:01:00"))
    assert axes["time"] == [0, 60]
    assert "time" not in series(line(1))[0]


def test_peaks_of_long_logs_stay():
    points = [(i, 0.0) for i in range(50_000)]
    points[33_333] = (33_333, 7.0)
    kept = thinned(points)
    assert len(kept) <= MAX_POINTS and (33_333, 7.0) in kept
    assert kept == sorted(kept)


def test_a_line_that_is_of_no_log_is_named():
    policy = ErrorPolicy("skip")
    assert series(line(1), {"step": "two"}, policy=policy)[0]["step"] == [1]
    assert policy.num_skipped == 1
    with pytest.raises(InputError, match="not a line of a training log"):
        series({"step": None})


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_runs_lie_over_each_other(tmp_path, opened, width, scheme):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.select import Select

    runs = [[line(step, time=step * speed, imc=float("nan")) for step in range(1, 50)]
            for speed in (1, 2)]  # fmt: skip
    path = tmp_path / "page.html"
    path.write_text(show(*runs, names=["logs/a.jsonl", "logs/b.jsonl"]))
    page = opened(path, width=width, scheme=scheme, address="#x=time")
    assert [one.text for one in page.find_elements("css selector", "h2")] == [
        "Loss",
        "Optimization",
    ]
    assert [one.text for one in page.find_elements("css selector", ".runs button")] == [
        "a.jsonl", "b.jsonl",
    ]  # fmt: skip
    chart = page.find_element("css selector", "figure.panel")
    ends = [p.get_attribute("d").rpartition("L")[2].split()[0] for p in
            chart.find_elements("css selector", "path")]  # fmt: skip
    assert ends == ["0.50000", "1.00000"]
    assert chart.find_element("css selector", ".readout").text == "0.0200 0.0200"
    page.find_element("css selector", ".runs button").click()
    assert len(chart.find_elements("css selector", "path")) == 1
    Select(page.find_element("id", "x")).select_by_value("epoch")
    assert page.current_url.endswith("#x=epoch&hidden=0")
    chart.find_element("css selector", ".plot").send_keys(Keys.LEFT)
    ActionChains(page).send_keys(Keys.LEFT).perform()
    assert chart.find_element("css selector", ".readout").text == "0.0208"
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    assert page.get_log("browser") == []
