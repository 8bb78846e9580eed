"""The pages of `--plot FILE.html`, looked at in the browsers that were found: what they show, and where."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image
from playwright.sync_api import Browser, Page, sync_playwright

from simil.cli.plots.charts import BarChart, Chart, ChartBar, Panel, heat_map, scatter_plot
from simil.cli.plots.html_plot import render

_NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSERS = [
    str(path)
    for path in (Path(sys.prefix) / "browser" / "run", *map(shutil.which, _NAMES))
    if path and Path(path).exists()
][:1]
EVIL = "<img src=x onerror=alert(1)></script><script>alert(1)</script>"
NAMES = [
    "an apple",
    EVIL,
    "雷と稲妻",
    *(f"text number {number} of a long list of texts" for number in range(17)),
]
# The third point lies in the middle of the map.
POINTS = np.array([[-1, -1], [1, 1], [0, 0], [-1, 1], [1, -1], *[[1, 0.5]] * 15], np.float64)
LIGHT, DARK = (255, 255, 255), (22, 23, 26)


def _charts() -> dict[str, Chart]:
    seed = np.random.default_rng(0)
    about = {"title": f"A chart of {EVIL}", "model": "minilm"}
    groups = [0, 1, 2, 0, 1, *[-1] * 15]
    bars = [
        ChartBar(name, value, value - 0.1, value + 0.1, f"{value:.2f}", value == 0.6)
        for name, value in (("minilm", 0.6), ("./other", 0.4), ("worse", -0.1))
    ]
    return {
        "heat": heat_map(NAMES, seed.uniform(0, 1, (20, 20)), metric="cosine", **about),
        "clusters": scatter_plot(
            POINTS, NAMES, groups=groups, group_names=["red", "green", "blue"], marked=[0, 1, 2],
            method="PCA", note="", **about,
        ),
        "outliers": scatter_plot(
            POINTS, NAMES, scores=np.arange(20) / 20, marked=[19, 2], method="PCA", note="", **about
        ),
        "bars": BarChart([Panel("Spearman", bars)], [Panel("memory (MB)", bars[:2])], "Models", "3 pairs"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pages")
    for name, chart in _charts().items():
        (folder / f"{name}.html").write_bytes(render(chart))
    return {path.stem: path.as_uri() for path in folder.iterdir()}


@pytest.fixture(scope="module", params=BROWSERS)
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        options = ["--headless=shell", "--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=request.param, args=options)
        yield browser
        browser.close()


def _opened(browser: Browser, address: str, *, width: int, scheme: str) -> tuple[Page, list[str]]:
    """Return the page without a network, and a list that what goes wrong in it is appended to."""
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme="dark" if scheme == "dark" else "light",
        offline=True,
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.on("request", lambda asked: wrong.append(asked.url) if asked.url != address else None)
    page.goto(address)
    return page, wrong


@pytest.mark.parametrize("name", ["heat", "clusters", "outliers", "bars"])
@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (420, "dark")])
def test_a_page_fits_its_window_and_its_colours(
    browser: Browser, pages: dict[str, str], name: str, width: int, scheme: str
) -> None:
    page, wrong = _opened(browser, pages[name], width=width, scheme=scheme)
    pixels = np.round(np.asarray(image.imread(io.BytesIO(page.screenshot()))) * 255).astype(int)
    assert wrong == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert tuple(pixels[2, 2, :3]) == (DARK if scheme == "dark" else LIGHT)
    drawn = pixels[100:400, :, :3].reshape(-1, 3)
    assert len(np.unique(drawn, axis=0)) > 20
    page.context.close()


def _shown_at(page: Page, selector: str, right: float, down: float) -> str:
    """Return what is shown for a place in an element, given in shares of its width and height."""
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + right * box["width"], box["y"] + down * box["height"])
    tip = page.locator("#tip")
    return tip.inner_text() if tip.is_visible() else ""


def test_pointing_shows_texts_and_numbers(browser: Browser, pages: dict[str, str]) -> None:
    charts = _charts()
    page, wrong = _opened(browser, pages["heat"], width=1000, scheme="light")
    score, row, column = _shown_at(page, "canvas.heat", 0.99, 0.1).split("\n")
    assert (row, column) == (EVIL, NAMES[19])
    assert score == f"{charts['heat'].cells[1, 19]:.4f}"  # type: ignore[union-attr]

    for name, first in (("clusters", "3 · blue"), ("outliers", "0.1000")):
        page, more = _opened(browser, pages[name], width=420, scheme="dark")
        wrong += more
        assert _shown_at(page, "canvas.map", 0.5, 0.5).split("\n") == [first, NAMES[2]]
        assert _shown_at(page, "canvas.map", 0.5, 0.02) == ""

    page, more = _opened(browser, pages["bars"], width=420, scheme="light")
    assert _shown_at(page, ".bar", 0.3, 0.5).split("\n") == ["minilm", "Spearman 0.60", "0.5000 … 0.7000"]
    widths = page.locator(".bar i").evaluate_all("all => all.map((one) => one.style.width)")
    # From -0.25 to 1, and costs up to the largest end of an interval.
    assert [round(float(width[:-1]), 1) for width in widths] == [48.0, 32.0, 8.0, 85.7, 57.1]
    assert wrong + more == []


def test_a_cluster_can_be_hidden(browser: Browser, pages: dict[str, str]) -> None:
    page, _ = _opened(browser, pages["clusters"], width=1200, scheme="light")
    page.get_by_role("button", name="3 · blue").click()
    assert _shown_at(page, "canvas.map", 0.5, 0.5) == ""


@pytest.mark.parametrize("name", ["heat", "clusters", "outliers", "bars"])
def test_a_page_is_small_and_loads_nothing(pages: dict[str, str], name: str) -> None:
    written = render(_charts()[name]).decode()
    assert len(written) < 32_000
    assert "default-src 'none'" in written
    assert "<img" not in written
