"""How soon a page of many cards is seen on a phone, and how it scrolls.

    python -m tests.bench.show_page [--cards 1000] [--throttle 4]

Makes records with photographs of noise, writes the page, and opens it in headless Chromium as on a
phone (390 × 844). Prints one JSON line: bytes of the page, milliseconds until the first paint and
until all is loaded, and how long frames took while all cards were scrolled to.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from selenium import webdriver

from hnclip_cli.evaluation.pages.show import show

SCROLL = """
const done = arguments[0], times = [];
let last = performance.now();
const down = () => {
  const now = performance.now();
  times.push(now - last);
  last = now;
  const end = document.documentElement.scrollHeight - innerHeight;
  if (scrollY >= end - 2 && !document.querySelector(".end:not([hidden])")) return done(times);
  scrollBy(0, 1200);
  requestAnimationFrame(down);
};
requestAnimationFrame(down);
"""


def records(folder: Path, count: int) -> list[dict[str, object]]:
    noise = Image.effect_noise((480, 360), 60).convert("RGB")
    found: list[dict[str, object]] = []
    for number in range(count):
        noise.rotate(number / 3).save(folder / f"{number}.jpg")
        kinds = ("replace-color", "replace-noun", "swap-noun")
        negatives = [{"caption": f"a {k} cat by table {number}", "kind": k} for k in kinds]
        caption = f"a red cat by table {number}"
        image = f"{number}.jpg"
        found.append(
            {"id": f"r{number}", "image": image, "caption": caption, "negatives": negatives}
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cards", type=int, default=1000)
    parser.add_argument("--throttle", type=float, default=1, help="times as slow a processor")
    options = parser.parse_args()
    chrome = webdriver.ChromeOptions()
    chrome.binary_location = shutil.which("chromium") or ""
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        chrome.add_argument(flag)
    service = webdriver.chrome.service.Service(shutil.which("chromedriver"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "page.html"
        path.write_text(show(records(folder, options.cards), image_root=name))
        with webdriver.Chrome(options=chrome, service=service) as driver:
            size = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            rate = {"rate": options.throttle}
            driver.execute_cdp_cmd("Emulation.setCPUThrottlingRate", rate)
            driver.set_script_timeout(300)
            driver.get(path.as_uri())
            paint, loaded = driver.execute_script(
                "return [performance.getEntriesByName('first-contentful-paint')[0]?.startTime,"
                " performance.timing.loadEventEnd - performance.timing.navigationStart]"
            )
            frames = sorted(driver.execute_async_script(SCROLL))
            shown = driver.execute_script("return document.querySelectorAll('article').length")
        result = {
            "benchmark": "show_page", "cards": shown, "bytes": path.stat().st_size,
            "throttle": options.throttle, "first_paint_ms": paint and round(paint),
            "loaded_ms": loaded, "frames": len(frames),
            "frame_ms_median": round(frames[len(frames) // 2], 1),
            "frame_ms_95": round(frames[int(len(frames) * 0.95)], 1),
            "frame_ms_longest": round(frames[-1], 1),
        }  # fmt: skip
        print(json.dumps(result))


if __name__ == "__main__":
    main()
