"""One page from whatever comes in, as data and in a real browser."""

import json

import pytest
from PIL import Image

from hnclip_cli.errors import HnclipError
from hnclip_cli.evaluation.compare import compare
from hnclip_cli.evaluation.pages.show import show
from hnclip_cli.streams.jsonl import ErrorPolicy
from tests.evaluation.pages.conftest import contrasts, requested, visible
from tests.evaluation.pages.test_document import ATTACK, TURNED, data_of
from tests.evaluation.test_compare import matching
from tests.evaluation.test_report import evaluate_records, short


def negatives(count=3, **fields):
    """Records of teal photographs with a color and a noun replaced in each caption."""
    return [
        {
            "id": f"r{i}", "image": "a.jpg", "caption": f"a red cat number {i}",
            "negatives": [
                {"caption": f"a blue cat number {i}", "kind": "replace-color",
                 "edits": [[2, 5, "blue"]]},
                {"caption": f"a red dog number {i}", "kind": "replace-noun"},
            ],
        } | fields
        for i in range(count)
    ]  # fmt: skip


def scored(*margins):
    return [
        short([0.5 + m, 0.5], ["k" if m > 0 else "swap"], id=f"s{i}", image="a.jpg",
              caption=f"caption {i}")
        for i, m in enumerate(margins)
    ]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    Image.new("RGB", (640, 480), "teal").save(tmp_path / "a.jpg")
    return tmp_path


@pytest.fixture
def shown(folder, opened):
    """The page of some records in a browser."""

    def shown(*inputs, name="page.html", **how):
        path = folder / name
        path.write_text(show(*inputs, image_root=str(folder)), encoding="utf-8")
        return opened(path, **how)

    return shown


# ---- what the data of a page are


def test_negatives_come_with_their_captions_kinds_and_changes(folder):
    card = data_of(show(negatives(1), image_root=str(folder)))["cards"][0]
    assert card["pictures"] == [0]
    caption, color, noun = card["captions"]
    assert caption == {"text": "a red cat number 0", "true": [0]}
    assert color["text"] == [[0, "a "], [-1, "red"], [1, "blue"], [0, " cat number 0"]]
    assert (noun["kind"], noun["number"]) == ("replace-noun", 1)


def test_all_scored_records_are_there_the_right_ones_too():
    page = show(scored(0.25, 0.0, -0.25))
    cards = data_of(page)["cards"]
    scores = [[caption["scores"] for caption in card["captions"]] for card in cards]
    assert scores[0] == [[[0.75]], [[0.5]]]
    assert [[c["wins"] for c in card["captions"]] for card in cards] == [
        [[0], []], [[0], [0]], [[], [0]],
    ]  # fmt: skip
    assert "<h1>Scored records</h1>" in page


def test_an_item_of_several_images_has_its_margin_and_truth():
    (card,) = data_of(show([matching("w", [[0.9, 0.1], [0.95, 0.8]])]))["cards"]
    assert card["margin"] == pytest.approx(-0.15)
    assert [caption["true"] for caption in card["captions"]] == [[0], [1]]
    assert [caption["wins"] for caption in card["captions"]] == [[0, 1], []]


@pytest.mark.parametrize(
    "record",
    [
        {"image": "a.jpg"},
        {"caption": "no photograph", "negatives": [{"caption": "none", "kind": "k"}]},
        {"image": "a.jpg", "caption": "c", "negative_images": ["a.jpg"]},
    ],
)
def test_what_a_record_has_is_shown(record, folder):
    page = show([record], image_root=str(folder))
    (card,) = data_of(page)["cards"]
    assert len(card["pictures"]) == ("image" in record)
    assert len(card["captions"]) == ("caption" in record) + len(record.get("negatives", []))


def test_a_report_of_eval_is_laid_out():
    report = json.loads(json.dumps(evaluate_records(*scored(0.25, -0.25))))
    assert "<h1>Evaluation</h1>" in show([report])


def test_the_table_of_several_models_is_laid_out():
    runs = [scored(1, -1), scored(1, 1), scored(-1, -1)]
    page = show([compare(runs, names=["one", "two", "three"], rounds=20)])
    assert "<table" in page and all(name in page for name in ("one", "two", "three"))
    assert "Holm" in page


def test_the_first_records_are_shown_where_there_are_too_many():
    notes = []
    page = show(negatives(5), limit=2, note=notes.append)
    assert [card["id"] for card in data_of(page)["cards"]] == ["r0", "r1"]
    assert "the first 2 records" in page
    assert notes[0] == "the first 2 records are shown; try --limit"


def test_a_bad_record_is_an_error_or_counted():
    bad = [*negatives(1), {"image": "a.jpg", "caption": 7}]
    with pytest.raises(HnclipError, match='field "caption" has the wrong type'):
        show(bad)
    policy = ErrorPolicy("skip")
    assert len(data_of(show(bad, policy=policy))["cards"]) == 1
    assert policy.num_skipped == 1


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([[]], "nothing to show"),
        ([[{"x": 1}]], "nothing that a page shows; got the fields x, expected records"),
        ([negatives(1), negatives(1)], "a page shows one file of records"),
    ],
)
def test_what_cannot_be_shown_is_named(inputs, said):
    with pytest.raises(HnclipError, match=said):
        show(*inputs)


# ---- in a browser


def test_filters_search_and_address_choose_cards(shown):
    from selenium.webdriver.support.select import Select

    page = shown(scored(0.25, 0.0, -0.25, 0.1))
    assert visible(page) == ["s0", "s1", "s2", "s3"]
    Select(page.find_element("id", "status")).select_by_value("right")
    assert visible(page) == ["s0", "s3"]
    assert page.find_element("id", "count").text == "2 of 4 shown"
    Select(page.find_element("id", "sort")).select_by_value("low")
    assert visible(page) == ["s3", "s0"]
    assert page.current_url.endswith("#status=right&sort=low")
    page.find_element("css selector", "button[type=reset]").click()
    assert "#" not in page.current_url
    linked = shown(scored(0.25, 0.0, -0.25, 0.1), address="#search=caption+2")
    assert visible(linked) == ["s2"]
    linked.execute_script("location.hash = 'from=-0.1&to=0.15'")
    assert visible(linked) == ["s1", "s3"]
    linked.execute_script("location.hash = 'search=nothing'")
    assert visible(linked) == [] and linked.find_element("id", "empty").is_displayed()


def test_a_kind_shows_its_negatives_alone(shown):
    page = shown(negatives(2), address="#kind=replace-noun")
    assert [line.get_attribute("data-number") for line in
            page.find_elements("css selector", ".negative")] == ["1", "1"]  # fmt: skip


def test_dragging_over_the_histogram_chooses_margins(shown):
    from selenium.webdriver.common.action_chains import ActionChains

    page = shown(scored(*[i / 100 for i in range(-20, 21)]))
    plot = page.find_element("css selector", ".histogram")
    width = plot.size["width"]
    drag = ActionChains(page).move_to_element_with_offset(plot, width // 4 - 4, 0)
    drag.click_and_hold().move_by_offset(width // 4 - 4, 0).release().perform()
    assert visible(page) == [f"s{i}" for i in range(30, 40)]
    assert float(page.find_element("id", "from").get_attribute("value")) == pytest.approx(0.1, 0.05)


def test_negatives_are_labeled_by_keys_and_kept_and_exported(shown):
    from selenium.webdriver.common.action_chains import ActionChains

    page = shown(negatives(2))
    page.execute_script("localStorage.clear()")
    page.refresh()
    ActionChains(page).send_keys("jg").send_keys("f").send_keys("ko").perform()
    page.refresh()
    assert page.find_element("id", "labeled").text == "2 labeled"
    assert page.execute_script("return labels.rows(data.cards)").split("\n") == [
        "id\tnegative\tkind\tlabel\tcaption\ttext",
        "r0\t0\treplace-color\tgood\ta red cat number 0\ta blue cat number 0",
        "r0\t1\treplace-noun\todd\ta red cat number 0\ta red dog number 0",
        "",
    ]
    ActionChains(page).send_keys("ju").perform()
    assert page.find_element("id", "labeled").text == "1 labeled"


def test_a_picture_is_enlarged_and_escape_closes_it(shown):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support import expected_conditions
    from selenium.webdriver.support.wait import WebDriverWait

    page = shown(negatives(1))
    page.find_element("css selector", ".picture").click()
    large = page.find_element("css selector", "dialog img")
    assert large.get_attribute("naturalWidth") == "640" and large.size["width"] > 600
    ActionChains(page).send_keys(Keys.ESCAPE).perform()
    gone = expected_conditions.staleness_of(large)  # the browser tells of it later
    WebDriverWait(page, 20).until(gone)


def test_the_keyboard_reaches_every_control(shown):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    page, reached = shown(scored(0.25, -0.25)), []
    for _ in range(9):
        ActionChains(page).send_keys(Keys.TAB).perform()
        reached.append(page.switch_to.active_element.get_attribute("id"))
    named = [name for name in reached if name]
    assert named == ["kind", "status", "label", "search", "sort", "from", "to", "export"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_a_thousand_cards_come_as_they_are_scrolled_to(shown, width, scheme):
    page = shown(negatives(1000), width=width, scheme=scheme)
    assert len(visible(page)) < 100
    count = page.execute_async_script(
        """const done = arguments[0], all = () => document.querySelectorAll("article").length;
        const down = () => {
          if (all() === 1000) return done(1000);
          scrollTo(0, document.documentElement.scrollHeight);
          requestAnimationFrame(down);
        };
        setTimeout(() => done(all()), 20000);
        down();"""
    )
    assert count == 1000
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    assert {pair: ratio for pair, ratio in contrasts(page).items() if ratio < 4.5} == {}


def test_hostile_texts_stay_texts_and_nothing_is_asked_of_the_network(shown):
    text = f"{ATTACK}{TURNED}"
    hostile = negatives(1, id=text, caption=text, image="javascript:alert(1)", benchmark=ATTACK)
    hostile[0]["negatives"] = [{"caption": text + " more", "kind": ATTACK}]
    page = shown(hostile)
    assert page.title == "records · Negatives · hnclip"
    first = page.find_element("css selector", ".line .text").text
    assert first == f"{ATTACK}a \\u202ereversed\\u2066 text\\x00"
    assert page.find_elements("css selector", "article script, article img") == []
    links = [a.get_attribute("href") for a in page.find_elements("css selector", "a")]
    assert all(link.startswith("file:") for link in links)
    assert page.get_log("browser") == []
    assert requested(page) <= {"file", "data"}


def test_linked_images_are_shown_from_beside_the_page(folder, opened):
    (folder / "pages").mkdir()
    path = folder / "pages" / "page.html"
    page = show(negatives(1), image_root=str(folder), linked_from=str(folder / "pages"))
    assert "data:image" not in page
    path.write_text(page)
    picture = opened(path).find_element("css selector", "article img")
    assert picture.get_attribute("naturalWidth") == "640"
