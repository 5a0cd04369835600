"""The page, as text and in a real browser."""

import base64
import hashlib
import io
import re
import shutil
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hnclip_cli.cli import cli
from hnclip_cli.evaluation.gallery import Gallery
from hnclip_cli.evaluation.html import edited, format_html
from hnclip_cli.streams.records import Record
from tests.conftest import to_lines
from tests.evaluation.test_compare import matching
from tests.evaluation.test_report import evaluate_records, short

ATTACK = '<script>document.title="owned"</script>"\'><img src=x onerror=alert(1)>'
HEIGHT = 844  # of a phone whose width is 390


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


def test_the_policy_allows_the_page_its_own_style_and_script_and_nothing_else():
    page = page_of(*records())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src &#39;none&#39;; img-src data:;")
    for element in ("style", "script"):
        (content,) = re.findall(f"<{element}>(.*?)</{element}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{element}-src &#39;sha256-{digest}&#39;" in policy
    assert not re.search(r"(?:src|href|action)=\"(?!data:)", page)
    assert " style=" not in page


def test_a_hostile_record_stays_text():
    page = page_of(*records())
    assert page.count("<script>") == 1
    assert "<img src=x" not in page
    assert "&lt;script&gt;" in page


class Texts(HTMLParser):
    """What a reader of the page would see, and the elements there are."""

    def __init__(self, page):
        super().__init__()
        self.text, self.tags, self.attributes = "", [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)


@settings(max_examples=40)
@given(text, text)
def test_whatever_a_text_holds_it_comes_out_as_text(inside, attribute):
    made = short([0.2, 0.3], ["swap-noun"], caption=f"a {inside}", benchmark=f"b{attribute}")
    parsed, plain = Texts(page_of(made)), Texts(page_of({**made, "caption": "a", "benchmark": "b"}))
    assert parsed.tags.count("script") == plain.tags.count("script") == 1
    assert set(parsed.tags) <= {*plain.tags, "ins", "del"}
    assert f"a {inside}" in parsed.text
    assert ("data-benchmark", f"b{attribute}") in parsed.attributes


@given(text, text)
def test_an_edited_negative_reads_as_the_negative_with_what_went_struck_through(caption, negative):
    page = edited(caption, negative)
    parsed = Texts(page)
    assert set(parsed.tags) <= {"ins", "del"}
    without = [word for tag, word in _runs(page) if tag != "del"]
    assert "".join("".join(without).split()) == "".join(negative.split())


def _runs(page):
    class Runs(HTMLParser):
        found, tag = [], ""

        def handle_starttag(self, tag, attrs):
            self.tag = tag

        def handle_endtag(self, tag):
            self.tag = ""

        def handle_data(self, data):
            self.found = [*self.found, (self.tag, data)]

    parser = Runs()
    parser.feed(page)
    parser.close()
    return parser.found


def test_the_words_that_changed_are_marked():
    assert edited("a cat on a mat", "a dog on a mat") == (
        "a <del>cat</del> <ins>dog</ins> on a mat"
    )
    assert edited("a light.", "a dim light") == "a <ins>dim</ins> light<del>.</del>"
    assert edited("same", "same") == "same"
    assert edited("a cat on a mat", "two dogs") == "two dogs"


def test_the_same_records_give_the_same_page():
    assert page_of(*records()) == page_of(*records())


def test_a_second_true_caption_is_not_shown_as_an_edit():
    item = matching("q", [[0.9, 0.1, 0.5]])
    captions = ["a cat on a mat", "a cat on one mat", "a dog on a mat"]
    page = page_of({**item, "captions": captions, "truth": [[0, 0], [0, 1]]})
    assert "<b>true</b> <span>a cat on one mat</span>" in page
    assert "<b>false</b> a <del>cat</del> <ins>dog</ins> on a mat" in page


def test_without_a_failure_there_is_no_gallery():
    page = page_of(short([1, 0]))
    assert "<article" not in page and "<h2>Results" in page


def test_every_number_of_the_chart_is_there_as_text_and_for_the_ear():
    page = page_of(*[short([i % 4, 1], image=f"{i}") for i in range(40)])
    assert 'aria-label="50.0 percent, interval ' in page
    assert '<td class="value">50.0</td>' in page


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium that may use no network."""
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    paths = shutil.which("chromium"), shutil.which("chromedriver")
    if None in paths:
        pytest.skip("no chromium and chromedriver: apt-get install chromium chromium-driver")
    options = selenium.ChromeOptions()
    options.binary_location = paths[0]
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = selenium.chrome.service.Service(paths[1])
    driver = selenium.Chrome(options=options, service=service)
    yield driver
    driver.quit()


def opened(browser, path, width=1200):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(path.as_uri())
    return browser


def visible(browser):
    return [
        card.find_element("css selector", "code").text
        for card in browser.find_elements("css selector", "article")
        if card.is_displayed()
    ]


@pytest.fixture
def page(scored, browser):
    path, notes = written(scored, "scored.jsonl", "--blind")
    assert "1 picture left out: " in notes and "gone.jpg" in notes
    return opened(browser, path)


def test_the_gallery_is_filtered_by_benchmark_kind_outcome_and_words(page):
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.select import Select

    everything = visible(page)
    assert sorted(everything) == sorted(["s0", "s1", "s2", "tie", ATTACK, "w"])
    Select(page.find_element("id", "benchmark")).select_by_visible_text("sugarcrepe")
    assert visible(page) == ["s0", "s1", "s2"]
    assert page.find_element("id", "count").text == "3 shown"
    search = page.find_element("id", "search")
    search.send_keys("ZEBRA 2", Keys.ENTER)
    assert visible(page) == ["s2"]
    Select(page.find_element("id", "kind")).select_by_visible_text("negate")
    assert visible(page) == []
    assert page.find_element("id", "empty").is_displayed()
    Select(page.find_element("id", "benchmark")).select_by_index(0)
    search.send_keys(Keys.CONTROL, "a", Keys.DELETE)
    assert visible(page) == ["tie"]
    Select(page.find_element("id", "kind")).select_by_index(0)
    Select(page.find_element("id", "status")).select_by_visible_text("tie")
    assert visible(page) == ["tie"]


def test_the_page_logs_nothing_and_asks_the_network_for_nothing(page):
    assert page.title == "hnclip eval"
    assert page.get_log("browser") == []
    requests = [
        entry["message"]
        for entry in page.get_log("performance")
        if '"Network.requestWillBeSent"' in entry["message"]
    ]
    assert requests  # the page itself, so that this test can see requests at all
    urls = {re.search(r'"url":"([^",:]*):', message)[1] for message in requests}
    assert urls <= {"file", "data"}


def test_every_picture_is_there_and_described(page):
    pictures = page.find_elements("css selector", "article img")
    assert len(pictures) == 6  # the picture of one item is missing, another has two
    for picture in pictures:
        page.execute_script("arguments[0].scrollIntoView()", picture)
        assert picture.get_attribute("alt")
        assert picture.get_attribute("naturalWidth") == "320"


def test_the_keyboard_reaches_every_control(page):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    reached = []
    for _ in range(8):
        ActionChains(page).send_keys(Keys.TAB).perform()
        reached.append(page.switch_to.active_element.get_attribute("id"))
    named = [name for name in reached if name]
    assert named[:4] == ["benchmark", "kind", "status", "search"]


@pytest.mark.parametrize(
    ("command", "names"), [("eval", ["scored.jsonl"]), ("compare", ["scored.jsonl", "other.jsonl"])]
)
def test_a_phone_needs_no_horizontal_scrolling(scored, browser, command, names):
    page = opened(browser, written(scored, *names, command=command)[0], width=390)
    page.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.execute_script("return document.documentElement.scrollWidth") == 390


def test_the_page_of_two_models_shows_what_flipped(scored, browser):
    page = opened(browser, written(scored, "scored.jsonl", "other.jsonl", command="compare")[0])
    assert page.find_element("css selector", "h1").text == "Two models compared"
    assert sorted(visible(page)) == sorted(["s0", "s1", "s2", "right", ATTACK, "w"])
    assert page.get_log("browser") == []
    shown = page.find_element("css selector", "article .score").text
    assert "→" in shown


def test_light_and_dark_both_have_contrast(page):
    """WCAG 2.1 AA asks 4.5:1 of text."""
    for scheme in ("light", "dark"):
        page.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
        )
        read = "return getComputedStyle(document.documentElement).getPropertyValue(arguments[0])"
        color = {
            name: page.execute_script(read, f"--{name}").strip()
            for name in ("paper", "panel", "ink", "soft", "good", "bad", "bad-wash", "good-wash")
        }
        pairs = [
            (text, back) for text in ("ink", "soft", "good", "bad") for back in ("paper", "panel")
        ]
        for text, back in [*pairs, ("bad", "bad-wash"), ("good", "good-wash")]:
            assert contrast(color[text], color[back]) >= 4.5, (scheme, text, back)


def contrast(one, other):
    first, second = sorted(map(luminance, (one, other)), reverse=True)
    return (first + 0.05) / (second + 0.05)


def luminance(color):
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_stored_page_is_a_whole_document(scored):
    page = written(scored, "scored.jsonl")[0].read_bytes()
    assert page.startswith(b'<!doctype html>\n<html lang="en">')
    assert page.endswith(b"</html>\n")
    assert io.BytesIO(page).read().decode("utf-8")


def test_captions_that_would_take_for_ever_are_not_marked():
    long = "a b " * 4000
    assert edited(long, long.replace("b", "c", 3)) == long.replace("b", "c", 3)


def test_a_page_shows_the_beginning_of_a_very_long_caption():
    page = page_of(short([0.1, 0.9], caption="word " * 8000))
    assert len(page) < 100_000
