"""A real browser, where there is one."""

import re
import shutil

import pytest

HEIGHT = 844  # of a phone whose width is 390


@pytest.fixture(scope="package")
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


@pytest.fixture
def opened(browser):
    """Open a file as on a screen of some width, light or dark."""

    def opened(path, width=1440, scheme="light", address=""):
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
        )
        for log in ("browser", "performance"):
            browser.get_log(log)
        browser.get("about:blank")  # another fragment alone would load nothing
        browser.get(path.as_uri() + address)
        return browser

    return opened


def visible(page):
    """The ids of the cards that are in sight, scrolled to or not."""
    return [code.text for code in page.find_elements("css selector", "article code")]


def requested(page):
    """The schemes of all that a page has asked for since it was opened."""
    entries = [entry["message"] for entry in page.get_log("performance")]
    requests = [text for text in entries if '"Network.requestWillBeSent"' in text]
    return {re.search(r'"url":"([^",:]*):', text)[1] for text in requests} - {"about"}


def contrasts(page):
    """The ratio of each color of text to each one that it stands on, as of WCAG 2.1."""
    read = "return getComputedStyle(document.documentElement).getPropertyValue(arguments[0])"
    names = ("paper", "panel", "ink", "soft", "good", "bad", "bad-wash", "good-wash")
    color = {name: page.execute_script(read, f"--{name}").strip() for name in names}
    pairs = [(text, back) for text in ("ink", "soft", "good", "bad") for back in ("paper", "panel")]
    pairs += [("bad", "bad-wash"), ("good", "good-wash")]
    return {pair: _contrast(*map(color.get, pair)) for pair in pairs}


def _contrast(one, other):
    first, second = sorted(map(_luminance, (one, other)), reverse=True)
    return (first + 0.05) / (second + 0.05)


def _luminance(color):
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
