"""The page of eval and compare, as text and in a real browser."""

import re

import pytest
from click.testing import CliRunner
from PIL import Image

from hnclip_cli.cli import cli
from hnclip_cli.evaluation.gallery import Gallery
from hnclip_cli.evaluation.pages.report import format_html
from hnclip_cli.streams.records import Record
from tests.conftest import to_lines
from tests.evaluation.pages.conftest import contrasts, requested, visible
from tests.evaluation.pages.test_document import ATTACK, data_of
from tests.evaluation.test_compare import matching
from tests.evaluation.test_report import evaluate_records, short


def records():
    """Failures of two benchmarks and three kinds, one of them hostile throughout."""
    made = [
        short([0.2, 0.3], ["swap-noun"], id=f"s{i}", image="a.jpg", benchmark="sugarcrepe",
              subset="swap_obj", caption=f"a zebra number {i}")
        for i in range(3)
    ]  # fmt: skip
    made.append(short([0.9, 0.1], ["swap-noun"], id="right", image="a.jpg"))
    made.append(short([0.2, 0.2], ["negate"], id="tie", image="a.jpg", benchmark="valse",
                      subset="existence", caption="a quiet street"))  # fmt: skip
    made.append(short([0.2, 0.3], [ATTACK], id=ATTACK, image="gone.jpg", benchmark=ATTACK,
                      subset=ATTACK, caption=ATTACK))  # fmt: skip
    square = matching("w", [[0.1, 0.9], [0.9, 0.1]])
    made.append({**square, "images": ["a.jpg"] * 2, "benchmark": "winoground"})
    return made


def page_of(*made, folder="."):
    gallery = Gallery()
    for each in made:
        gallery.watch(Record(each))
    report = evaluate_records(*made)
    return format_html(report, gallery.failures(), gallery.num_failures, str(folder), print)


@pytest.fixture
def scored(tmp_path):
    Image.new("RGB", (640, 480), "teal").save(tmp_path / "a.jpg")
    (tmp_path / "scored.jsonl").write_bytes(to_lines(*records()))
    other = [{**r, "scores": [row[::-1] for row in r["scores"]]} for r in records()]
    (tmp_path / "other.jsonl").write_bytes(to_lines(*other))
    return tmp_path


def written(folder, *arguments, command="eval"):
    """The page that a command writes into a folder, and what it notes."""
    page = folder / "report.html"
    names = [str(folder / a) if a.endswith(".jsonl") else a for a in arguments]
    done = CliRunner().invoke(cli, [command, *names, "--html", str(page)])
    assert done.exit_code == 0, done.output
    return page, done.stderr


def test_a_hostile_record_stays_text():
    page = page_of(*records())
    assert page.count("<script>") == 1
    assert "<img src=x" not in page
    assert "&lt;script&gt;" in page  # the kind, in a chart
    assert ATTACK in [card["id"] for card in data_of(page)["cards"]]


def test_the_same_records_give_the_same_page():
    assert page_of(*records()) == page_of(*records())


def test_without_a_failure_there_is_no_gallery():
    page = page_of(short([1, 0]))
    assert 'id="gallery"' not in page and "<h2>Results" in page


def test_every_number_of_the_chart_is_there_as_text_and_for_the_ear():
    page = page_of(*[short([i % 4, 1], image=f"{i}") for i in range(40)])
    assert 'aria-label="50.0 percent, interval ' in page
    assert '<td class="value">50.0</td>' in page


def test_the_stored_page_is_a_whole_document(scored):
    page = written(scored, "scored.jsonl")[0].read_bytes().decode()
    assert page.startswith('<!doctype html>\n<html lang="en">')
    assert page.endswith("</html>\n")


@pytest.fixture
def page(scored, opened):
    path, notes = written(scored, "scored.jsonl", "--blind")
    assert "1 picture left out: " in notes and "gone.jpg" in notes
    return opened(path)


def test_the_page_logs_nothing_and_asks_the_network_for_nothing(page):
    assert sorted(visible(page)) == sorted(["s0", "s1", "s2", "tie", ATTACK, "w"])
    assert page.get_log("browser") == []
    assert requested(page) <= {"file", "data"}


def test_every_picture_is_there_and_described(page):
    pictures = page.find_elements("css selector", "article img")
    assert len(pictures) == 6  # the picture of one item is missing, another has two
    for picture in pictures:
        page.execute_script("arguments[0].scrollIntoView()", picture)
        assert picture.get_attribute("alt")
        assert picture.get_attribute("naturalWidth") == "320"
    assert page.find_element("css selector", ".missing").get_attribute("aria-label")


def test_the_caption_that_wins_is_marked(page):
    article = next(a for a in page.find_elements("css selector", "article") if "s0" in a.text)
    true, false = article.find_elements("css selector", ".score")
    assert (true.get_attribute("class"), false.get_attribute("class")) == (
        "score match", "score wins",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("command", "names"), [("eval", ["scored.jsonl"]), ("compare", ["scored.jsonl", "other.jsonl"])]
)
def test_a_phone_needs_no_horizontal_scrolling(scored, opened, command, names):
    page = opened(written(scored, *names, command=command)[0], width=390)
    page.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.execute_script("return document.documentElement.scrollWidth") == 390


def test_the_page_of_two_models_shows_what_flipped(scored, opened):
    page = opened(written(scored, "scored.jsonl", "other.jsonl", command="compare")[0])
    assert page.find_element("css selector", "h1").text == "Two models compared"
    assert sorted(visible(page)) == sorted(["s0", "s1", "s2", "right", ATTACK, "w"])
    assert page.get_log("browser") == []
    shown = page.find_element("css selector", "article .score").text
    assert re.search(r"0\.\d{3} → 0\.\d{3}", shown)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_both_have_contrast(scored, opened, scheme):
    """WCAG 2.1 AA asks 4.5:1 of text."""
    page = opened(written(scored, "scored.jsonl")[0], scheme=scheme)
    assert {pair: ratio for pair, ratio in contrasts(page).items() if ratio < 4.5} == {}


def test_chance_stands_where_it_is_the_same_for_all_records():
    page = page_of(*records())
    assert 'x1="50.00%" x2="50.00%" y1="0" y2="100%" class="chance"' in page
    assert 'x1="16.67%" x2="16.67%" y1="0" y2="100%" class="chance"' in page


def test_links_lead_to_every_main_section(page):
    links = page.find_elements("css selector", "nav a")
    targets = [link.get_attribute("href").rpartition("#")[2] for link in links]
    assert targets[-1] == "gallery" and len(targets) > 2
    assert all(page.find_elements("id", target) for target in targets)


def test_a_comparison_has_both_values_under_the_names_of_their_files(scored):
    page = written(scored, "scored.jsonl", "other.jsonl", command="compare")[0].read_text()
    assert '<th scope="col" class="side"><bdi>scored</bdi></th>' in page
    assert re.search(r'<td class="side">\d+\.\d</td><td class="side">\d+\.\d</td>', page)


def test_a_phone_has_numbers_on_the_axis(scored, opened):
    page = opened(written(scored, "scored.jsonl")[0], width=390)
    axis = page.find_element("css selector", ".scale.narrow")
    assert axis.is_displayed() and axis.text.split() == ["0", "50", "100", "%"]
