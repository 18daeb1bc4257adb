"""Take the pictures of the report page: docs/pictures/report-*.png.

python -m docs._screenshots        needs Chromium and its driver

The pages show a generated run of 500 tests, and a run of the sample checks in the sandbox.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from reframe_firecrest.commands.report.model import report_of
from reframe_firecrest.commands.report.page import render
from reframe_firecrest.commands.report.reframe_report import read_reframe_report
from reframe_firecrest.journal.runs import runs_in
from tests.commands.report.worlds import RUN, write_world

DIRECTORY = Path(__file__).resolve().parent / "pictures"
MISSING = "the pictures of the report page need Chromium and its driver (Debian: chromium, chromium-driver)"
WIDTH = 1280


@contextmanager
def browser() -> Iterator[webdriver.Chrome]:
    """Start a browser without a window; end with one line if none is installed."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        sys.exit(MISSING)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    # Chromium's sandbox needs permissions that root and containers lack. The pages are ours.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    started = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield started
    finally:
        started.quit()


def page_of_a_large_run(directory: Path) -> Path:
    """Write the page of a generated run of 500 tests, of which some failed."""
    journals, report = write_world(directory, 500)
    [run] = runs_in(journals, RUN)
    text = render(report_of(run, read_reframe_report(report))).replace(str(directory), "/home/me/nightly")
    page = directory / "report.html"
    page.write_text(text, encoding="utf-8")
    return page


def page_of_the_demo(directory: Path) -> Path:
    """Run the sample checks in the sandbox; return the page of that run."""
    command = [str(Path(sys.executable).parent / "reframe-firecrest"), "demo", "--directory", str(directory)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
    [page] = directory.rglob("report.html")
    return page


def take(driver: webdriver.Chrome, page: Path, name: str, *, height: int, scheme: str, at: str = "") -> None:
    """Save a picture of a page, from an anchor on."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    size = {"width": WIDTH, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.get(page.as_uri() + at)
    driver.save_screenshot(str(DIRECTORY / name))
    print(f"written: docs/pictures/{name}")


def main() -> None:
    """Take all pictures."""
    with browser() as driver, tempfile.TemporaryDirectory() as temporary:
        large = page_of_a_large_run(Path(temporary) / "large")
        take(driver, large, "report-dark.png", height=1150, scheme="dark")
        take(driver, large, "report-timeline.png", height=1000, scheme="light", at="#timeline")
        small = page_of_the_demo(Path(temporary) / "demo")
        take(driver, small, "report-light.png", height=920, scheme="light")


if __name__ == "__main__":
    main()
