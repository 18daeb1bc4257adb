"""The page in a real browser: what people see, in light and in dark, on a screen and on a telephone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from reframe_firecrest.commands.report.model import report_of
from reframe_firecrest.commands.report.page import render
from reframe_firecrest.commands.report.reframe_report import read_reframe_report
from reframe_firecrest.journal.runs import runs_in
from tests.commands.report.worlds import KINDS, RUN, write_world

TESTS = 100
QUOTA = len([number for number in range(1, TESTS + 1) if number % KINDS == 7])
SCHEMES = ("light", "dark")
WIDTHS = (1280, 400)

CONTRAST = """
const channel = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const WEIGHTS = [0.2126, 0.7152, 0.0722];
const light = (rgb) => WEIGHTS.reduce((sum, part, n) => sum + part * channel(rgb[n] / 255), 0);
const behind = (element) => {
  for (let one = element; one; one = one.parentElement) {
    const colour = parse(getComputedStyle(one).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const poor = [];
for (const element of document.body.querySelectorAll("*")) {
  const said = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!said || !element.checkVisibility()) continue;
  const colours = [parse(getComputedStyle(element).color), behind(element)];
  const [a, b] = colours.map(light).sort((x, y) => y - x);
  if ((a + 0.05) / (b + 0.05) < 4.5) poor.push(element.outerHTML.slice(0, 120));
}
return poor;
"""
"""Texts of which the contrast is below 4.5:1 (Web Content Accessibility Guidelines 2.2, 1.4.3)."""


class Browser:
    """A browser that shows one page."""

    def __init__(self, driver: webdriver.Chrome, page: Path) -> None:
        self.driver = driver
        self.address = page.as_uri()

    def open(self, scheme: str = "light", width: int = 1280, *, scripts: bool = True) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 1000}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        self.driver.get(self.address)

    def ask(self, script: str) -> Any:
        return self.driver.execute_script(script)

    def sees(self, text: str) -> bool:
        return text in self.ask("return document.body.innerText")

    def rows(self) -> list[str]:
        shown = "[...document.querySelectorAll('.lanes tbody tr:not([hidden])')]"
        rows = self.ask(f"return {shown}.map((row) => row.innerText)")
        assert isinstance(rows, list)
        return rows

    def log(self, kind: str) -> list[dict[str, Any]]:
        """Return the browser's log since the last call."""
        entries: list[dict[str, Any]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call]
        return entries

    def requests(self) -> set[str]:
        """All addresses that were asked for since the last call."""
        entries = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        return {
            entry["params"]["request"]["url"]
            for entry in entries
            if entry["method"] == "Network.requestWillBeSent"
        }


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.Chrome]:
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not chromedriver:
        pytest.skip("there is no Chromium with its driver here (Debian: chromium and chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    # Chromium's own sandbox needs what containers and root don't have; the page is ours.
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(chromedriver))
    yield started
    started.quit()


@pytest.fixture(scope="module")
def browser(driver: webdriver.Chrome, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    directory = tmp_path_factory.mktemp("page")
    journals, report = write_world(directory, TESTS)
    [run] = runs_in(journals, RUN)
    page = directory / "report.html"
    page.write_text(render(report_of(run, read_reframe_report(report))), encoding="utf-8")
    return Browser(driver, page)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_shows_what_matters_and_fits(scheme: str, width: int, browser: Browser) -> None:
    browser.log("browser")
    browser.requests()
    browser.open(scheme, width)
    for text in (
        "of 100 tests failed",
        RUN,
        "Disk quota exceeded",
        "step  199",
        "Where the time went",
        "GB/s",
    ):
        assert browser.sees(text), text
    assert browser.sees("<b>Detected 1 oom_kill</b>"), "what a test prints is text"
    assert len(browser.rows()) == TESTS
    assert browser.log("browser") == []
    assert browser.requests() == {browser.address}
    assert browser.ask("return document.documentElement.scrollWidth") <= width
    # What is wider than the screen is in a frame of its own that scrolls, and can be by keyboard.
    script = """
        const scrolls = (one) => ['auto', 'scroll'].includes(getComputedStyle(one).overflowX);
        return [...document.querySelectorAll('body *')]
            .filter((one) => scrolls(one) && one.scrollWidth > one.clientWidth + 1 && one.tabIndex < 0)
            .map((one) => one.outerHTML.slice(0, 120));"""
    assert browser.ask(script) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_each_label_of_the_time_axis_is_seen_whole(width: int, browser: Browser) -> None:
    browser.open(width=width)
    script = """
        const box = (one) => one.getBoundingClientRect();
        return [...document.querySelectorAll('.ticks')].map((ticks) => {
            const seen = [...ticks.children].filter((one) => one.checkVisibility()).map(box);
            const [left, right] = [box(ticks).left - 1, box(ticks).right + 1];
            return {
                count: seen.length,
                cut: seen.filter((one) => one.left < left || one.right > right).length,
                covered: seen.slice(1).filter((one, place) => one.left < seen[place].right - 1).length,
            };
        });"""
    axes = browser.ask(script)
    assert len(axes) == 2
    for axis in axes:
        assert axis["count"] > 1
        assert (axis["cut"], axis["covered"]) == (0, 0), axis


@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_texts_can_be_read(scheme: str, browser: Browser) -> None:
    browser.open(scheme)
    assert browser.ask(CONTRAST) == []
    paper = browser.ask("return getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")


def test_rows_are_found_chosen_and_sorted(browser: Browser) -> None:
    browser.open()
    find = browser.driver.find_element(By.ID, "find")
    find.send_keys("halo NID")
    found = browser.rows()
    assert 0 < len(found) < TESTS
    assert all("Halo" in row for row in found)
    assert browser.driver.find_element(By.ID, "shown").text == f"{len(found)} of {TESTS}"
    find.clear()
    find.send_keys(" ")
    Select(browser.driver.find_element(By.ID, "show")).select_by_value("skipped")
    assert len(browser.rows()) == len([number for number in range(1, TESTS + 1) if number % KINDS == 13])
    Select(browser.driver.find_element(By.ID, "show")).select_by_value("")
    Select(browser.driver.find_element(By.ID, "order")).select_by_value("name")
    assert "Fft %num_nodes=1 %variant=30" in browser.rows()[0]
    Select(browser.driver.find_element(By.ID, "order")).select_by_value("begin")
    lefts = browser.ask(
        "return [...document.querySelectorAll('.lane i:first-child')].map((i) => parseFloat(i.style.left))"
    )
    assert lefts == sorted(lefts)


def test_without_scripts_all_is_there_but_the_tools(browser: Browser) -> None:
    browser.open(scripts=False)
    try:
        assert browser.sees("of 100 tests failed")
        assert len(browser.driver.find_elements(By.CSS_SELECTOR, ".lanes tbody tr")) == TESTS
        assert not browser.driver.find_element(By.ID, "tools").is_displayed()
    finally:
        browser.open()


def test_it_prints_all_of_it(browser: Browser) -> None:
    browser.open("dark")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert browser.ask("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        frame = "document.querySelector('.lanes-frame')"
        assert browser.ask(f"return {frame}.scrollHeight - {frame}.clientHeight") <= 1
        assert not browser.driver.find_element(By.ID, "tools").is_displayed()
        closed = "document.querySelector('details:not([open]) .facts')"
        assert browser.ask(f"return {closed}.checkVisibility({{contentVisibilityAuto: true}})")
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
