"""The explorers of the built book as readers use them: by keys and by touch, with their state in the address.

Each has a slider for the source, and shows a number that the library can compute for the same values.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bookkit.environment import web_browser
from neural_scaling.dmft import kernel_flow
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import chi, compute_optimum, edge_of_stability_step

FRONT, EXPLORERS = "book/pages/intro.html", "book/pages/explore.html"
PHONE = {"width": 390, "height": 844}
_PLAIN = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")

Values = Mapping[str, float]


class Explorer(NamedTuple):
    """Where an explorer is, and what it has to show."""

    page: str
    place: str  # selector
    row: str  # of its tables, as it begins
    column: int
    right: Callable[[Values], float]  # what the library says


def _exponent(at: Values) -> float:
    return chi(at["Source β"], rich=True)


def _optimum(at: Values) -> float:
    return compute_optimum(at["Capacity α"], at["Source β"], rich=True).r


def _edge(at: Values) -> float:
    return edge_of_stability_step(at["Source β"], at["Richness γ"], at["Learning rate η"])


def _loss(at: Values) -> float:
    modes = PowerLaw(at["Capacity α"], at["Source β"]).quadrature(1e3)
    return float(kernel_flow(modes, at["Richness γ"], [1.0]).loss[0])


#: By the name under which their state stands in the address.
EVERY = {
    "model": Explorer(FRONT, ".ns-explorer:not([data-explorer])", "Loss in time", 2, _exponent),
    "plane": Explorer(EXPLORERS, "[data-explorer=plane]", "Loss in time", 2, _exponent),
    "allocation": Explorer(EXPLORERS, "[data-explorer=allocation]", "r in Table 1", 2, _optimum),
    "edge": Explorer(EXPLORERS, "[data-explorer=edge]", "Estimate", 1, _edge),
    "spectrum": Explorer(EXPLORERS, "[data-explorer=spectrum]", "1", 3, _loss),
}

#: Seconds within which an explorer must have written its state into the address.
KEEPS = 10.0
_READ = """root => ({
    rows: [...root.querySelectorAll("tbody tr")].map(row => [...row.children].map(cell => cell.textContent.trim())),
    values: Object.fromEntries([...root.querySelectorAll("label:has(input)")].map(one =>
        [one.firstChild.textContent.trim(), one.querySelector(".ns-value")?.textContent ?? one.control.value])),
})"""
_IN_ADDRESS = "([key, value]) => new URLSearchParams(location.hash.slice(1)).get(key) === value"
_DRAWN = "document.querySelectorAll('.ns-explorer[data-ready] .ns-plot polyline').length > 1"
_ANSWERS = """() => {
    const explorer = document.querySelector(".ns-explorer"), told = explorer.querySelector("[role=status]");
    const slider = explorer.querySelector("input"), before = told.textContent;
    slider.value = slider.value === slider.min ? slider.max : slider.min;
    slider.dispatchEvent(new Event("input"));
    return told.textContent === before ? null : performance.now() / 1000;
}"""


async def operate(browser: Any, root: Path) -> list[str]:
    """Operate the explorers that a book has; return what is wrong with them."""
    from playwright.async_api import Error

    wrong: list[str] = []
    context = await browser.new_context(viewport=PHONE, has_touch=True)
    page = await context.new_page()
    for address in (FRONT, EXPLORERS):
        if not (root / address).is_file():
            continue
        there = {name: one for name, one in EVERY.items() if one.page == address}
        try:
            await page.goto((root / address).as_uri())
            left = {name: await _use(page, name, one, wrong) for name, one in there.items()}
            await page.reload()
            for name, one in there.items():
                if await page.locator(one.place).evaluate(_READ) != left[name]:
                    wrong.append(f"{address}: the explorer {name} forgets its state when the page is loaded again.")
        except Error as error:
            wrong.append(f"{address}: cannot be operated: {error.message.splitlines()[0][:200]}")
    await context.close()
    return wrong


async def _use(page: Any, name: str, one: Explorer, wrong: list[str]) -> Any:
    """Move the slider of the source by a key and by a finger, and compare the number with the library."""
    from playwright.async_api import TimeoutError

    explorer = page.locator(one.place)
    slider = explorer.get_by_role("slider", name="Source β").first
    await slider.scroll_into_view_if_needed()
    seen = [await explorer.evaluate(_READ)]
    await slider.press("ArrowRight")
    seen.append(await explorer.evaluate(_READ))
    box = await slider.bounding_box()
    await page.touchscreen.tap(box["x"] + 0.2 * box["width"], box["y"] + box["height"] / 2)
    seen.append(await explorer.evaluate(_READ))
    for (before, after), by in zip(itertools.pairwise(seen), ("a key", "touch"), strict=True):
        if before["rows"] == after["rows"] or before["values"] == after["values"]:
            wrong.append(f"{one.page}: the explorer {name} does not answer to {by}.")
    values = {label: number(text) for label, text in seen[-1]["values"].items()}
    text = next(row for row in seen[-1]["rows"] if row[0].startswith(one.row))[one.column]
    if not close(text, one.right(values)):
        wrong.append(f"{one.page}: the explorer {name} shows {text!r} where the library has {one.right(values):.4g}.")
    first, kept = (one["values"]["Source β"] for one in (seen[0], seen[-1]))
    try:
        await page.wait_for_function(
            _IN_ADDRESS, arg=[f"{name}.beta", None if kept == first else kept], timeout=1000 * KEEPS
        )
    except TimeoutError:
        wrong.append(f"{one.page}: the explorer {name} does not keep its state in the address.")
    return seen[-1]


def number(text: str) -> float:
    """Return a number as the explorers write it: 0.25, 1e6, 1.2 × 10⁻⁵, inf."""
    power = re.fullmatch(r"(?:(\S+) × )?10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", text)
    if power:
        return float((power[1] or "1").translate(_PLAIN)) * 10.0 ** int(power[2].translate(_PLAIN))
    return float(text.translate(_PLAIN).replace("∞", "inf"))


def close(text: str, value: float) -> bool:
    """Return whether a text shows a number, in its last digit or in three of them."""
    decimals = re.search(r"\.(\d+)$", text)
    last = 0.5 * 10.0 ** -len(decimals[1]) if decimals else 0.0
    shown = number(text)
    return shown == value or abs(shown - value) <= 1.01 * max(last, 0.005 * abs(value))


async def cold_start(root: Path) -> float:
    """Return the seconds from the request of the front page to an answer of its explorer, in a browser that has seen nothing."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=web_browser())
        page = await browser.new_page()
        await page.goto((root / FRONT).as_uri(), wait_until="commit")
        await page.wait_for_function(_DRAWN)
        seconds = await page.evaluate(_ANSWERS)
        await browser.close()
    return math.inf if seconds is None else float(seconds)
