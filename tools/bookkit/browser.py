"""The built book in a real browser: what only shows once a page is laid out, typeset and clicked.

Each page is loaded once and seen at two widths, in both themes and on paper; the explorers are operated. Pages of source code
come from one template: the browser sees the largest, of the others the links are followed. Only what the project can mend counts:
findings that belong to the theme are named in :data:`THEME` with the reason, pages that are known to be too tall or too heavy in
:data:`KNOWN`.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.resources
import importlib.util
import math
import os
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import yaml

from bookkit.environment import web_browser
from bookkit.operated import operate
from bookkit.problems import Problem
from bookkit.project import Project

PACKAGES = ("playwright", "axe_playwright_python")
WIDE, PHONE = (1400, 1000), (390, 844)
PAPER = (718, 1047)  # A4 between margins of a centimetre
SCREENS = 25  # of a phone, that a page may be tall
WEIGHT = 2**20  # bytes of a page with its pictures and data, without the theme and MathJax
ANSWER = 90.0  # seconds that all of a page may take, several times what the slowest takes
#: What is searched for, and the pages of which one has to come first if the book has it.
SEARCHES = {
    "Figure 5": ("book/pages/fig05",),
    "eq. 29": ("book/equations",),
    "richness": ("book/symbols",),
    "MNIST": ("book/pages/mnist1m", "book/pages/fig06"),
    "own spectrum": ("book/pages/explore", "book/library/spectra"),
    "edge of stability": ("book/symbols", "book/theory/edge", "book/pages/fig02"),
}
#: Findings of the theme by rule: in what they lie, and why they stay.
THEME = {
    "aria-required-children": (
        ".citation-list",
        "the builder marks a bibliography as a list and its entries as entries of one",
    ),
}
#: Pages known to exceed a limit, with what they measured; a number may only fall, and goes when the page fits.
KNOWN = Path(__file__).with_name("known_pages.yaml")
_SHRUNK = 0.9  # below this part of its number a page has a new one; fonts of another machine make less of a difference

_LOOK = r"""() => {
    const hidden = "pre, code, script, style, noscript, textarea, mjx-container, .MathJax, [hidden]";
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), raw = [];
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const text = node.textContent;
        const formula = /\\(?:[a-zA-Z]{2,}|[()[\]])|\$[^\s$](?:[^$]*[^\s$])?\$/.exec(text);
        if (formula && !node.parentElement.closest(hidden)) raw.push(text.trim().slice(0, 60));
    }
    const bare = [...document.querySelectorAll("img")].filter(one =>
        one.getAttribute("aria-hidden") !== "true" && one.getAttribute("role") !== "presentation" && !one.alt.trim());
    return {
        raw,
        bare: bare.map(one => one.src.slice(0, 80)),
        wrong: [...document.querySelectorAll('mjx-merror, [data-mml-node="merror"]')].map(one => one.textContent.slice(0, 60)),
        ids: [...document.querySelectorAll("[id], a[name]")].flatMap(one => [one.id, one.name || ""]).filter(Boolean),
        links: [...document.querySelectorAll("a[href]")].map(one => one.href),
    };
}"""
#: Half of a page is strokes of formulas, hidden from readers by ear, and what closed folds hold: no rule looks at either.
_PRUNE = """() => {
    for (const strokes of document.querySelectorAll("mjx-container > svg[aria-hidden=true]")) strokes.replaceChildren();
    for (const part of document.querySelectorAll("details:not([open]) > :not(summary)")) part.remove();
}"""
#: Scripts that listen for another medium are told before the next frame.
_FRAME = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
_SIZE = """() => {
    const page = document.scrollingElement;
    const over = one => one.getBoundingClientRect().right > innerWidth + 1;
    const first = page.scrollWidth > innerWidth + 1 ? [...document.body.querySelectorAll("*")].filter(over).pop() : null;
    const seen = selector => [...document.querySelectorAll(selector)].filter(one => one.checkVisibility());
    const shown = cell => {
        const copy = cell.cloneNode(true);
        for (const spoken of copy.querySelectorAll(".visually-hidden")) spoken.remove();
        return copy.textContent.trim();
    };
    const covers = (button, code) => code && button.getBoundingClientRect().bottom
        > code.getBoundingClientRect().top + parseFloat(getComputedStyle(code).paddingTop) + 1;
    const cramped = innerWidth > 600 ? [] : [
        ...seen(".book-figure .panel").filter(one => one.scrollWidth > one.clientWidth + 1)
            .map(() => "a panel scrolls sideways"),
        ...seen("button.copybtn").filter(one => covers(one, one.parentElement.querySelector("pre")))
            .map(one => `a button covers ${one.parentElement.textContent.trim().slice(0, 40)}`),
        ...seen("td").filter(one => one.clientWidth < 100 && shown(one).length > 40)
            .map(one => `a column is too narrow for ${shown(one).slice(0, 40)}`),
    ];
    return {
        cramped,
        height: page.scrollHeight,
        wide: page.scrollWidth > innerWidth + 1 ? page.scrollWidth : 0,
        by: first ? first.outerHTML.slice(0, 80) : "",
    };
}"""
#: A table or a listing repeats few colours, and contrast depends on these alone: one text of each kind is enough.
_AXE = """async ([chosen, theme]) => {
    const grounds = new Map(), kinds = new Map();
    const ground = one => {
        if (one && !grounds.has(one)) {
            const {backgroundColor, backgroundImage, opacity} = getComputedStyle(one);
            grounds.set(one, [ground(one.parentElement), backgroundColor, backgroundImage, opacity].join(";"));
        }
        return grounds.get(one) ?? "";
    };
    const kind = one => {
        const {color, fontSize, fontWeight, textShadow, position} = getComputedStyle(one);
        return [ground(one), color, fontSize, fontWeight, textShadow, position].join(";");
    };
    if (chosen.runOnly) for (const one of document.querySelectorAll("body *")) {
        const text = [...one.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
        if ((text || one.matches("input")) && one.checkVisibility() && !kinds.has(kind(one))) kinds.set(kind(one), one);
    }
    // Preloading would ask for the style sheets by scripts, which pages of files may not.
    const place = chosen.runOnly ? {include: [...kinds.values()]} : document;
    const found = await axe.run(place, {preload: false, resultTypes: ["violations"], ...chosen});
    const ours = (one, node) => !theme[one.id] || !document.querySelector(node.target[0])?.closest(theme[one.id]);
    const grave = found.violations.filter(one => ["serious", "critical"].includes(one.impact));
    return grave.flatMap(one => one.nodes.filter(node => ours(one, node)).map(node =>
        ({rule: one.id, at: node.target.flat().join(" "), html: node.html.slice(0, 100)})));
}"""
#: What is wrong with a page as it is printed.
_PRINTED = r"""() => {
    const seen = one => one.checkVisibility({visibilityProperty: true, opacityProperty: true}) && one.offsetWidth > 1;
    const all = selector => [...document.querySelectorAll(selector)];
    const wrong = all("nav, header.bd-header, footer, button:not(.whole), dialog, .bd-sidebar-primary, .bd-sidebar-secondary")
        .filter(seen).map(one => `${one.outerHTML.slice(0, 80)} is of no use there`);
    const folds = all("details:not([open])").filter(seen).length;
    if (folds) wrong.push(`${folds} folds are closed`);
    wrong.push(...all(".only-dark").filter(seen).map(one => `a figure is dark: ${one.outerHTML.slice(0, 80)}`));
    const [ink, ground] = ["color", "backgroundColor"].map(name => getComputedStyle(document.body)[name]);
    const light = colour => colour.match(/[\d.]+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3;
    if (light(ink) > 100 || !(light(ground) > 200 || ground.endsWith(", 0)"))) wrong.push(`${ink} on ${ground}`);
    const page = document.scrollingElement;
    if (page.scrollWidth > innerWidth + 1) {
        const over = all("body *").filter(one => one.getBoundingClientRect().right > innerWidth + 1).pop();
        wrong.push(`${page.scrollWidth} px wide at ${innerWidth}: ${over?.outerHTML.slice(0, 80)}`);
    }
    return wrong;
}"""
_CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
_BUT_CONTRAST = {"rules": {"color-contrast": {"enabled": False}}}
#: Widths and themes in which a page is measured; the last is that whose height counts.
_VIEWS = ((WIDE, "light"), (WIDE, "dark"), (PHONE, "dark"), (PHONE, "light"))
#: Width, theme and rules: contrast is of the theme, all else of the width.
_RULES = (
    (PHONE, "light", _BUT_CONTRAST),
    (WIDE, "light", _BUT_CONTRAST),
    (WIDE, "light", _CONTRAST),
    (WIDE, "dark", _CONTRAST),
)
_FIRST = """() => {
    const done = document.querySelector("#search-results .search-summary")?.textContent;
    const first = document.querySelector("#search-results ul.search li a");
    return first ? first.href : done ? "" : null;
}"""


@dataclass
class Seen:
    """What the browser saw of one page."""

    wrong: list[str] = field(default_factory=list)  # said by the page itself
    ids: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)  # absolute addresses
    height: int = 0  # pixels on a phone
    weight: int = 0  # bytes


def missing() -> str | None:
    """Return in one line what is lacking for these checks and how to get it, or None."""
    if web_browser() is None:
        return "no browser was found: install one, on Debian with `apt-get install chromium`, and run `nox -s browser`."
    lacking = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    return f"not installed: {', '.join(lacking)}; run `nox -s browser`." if lacking else None


def check(project: Project) -> tuple[list[str], dict[str, Seen]]:
    """Look at every page of the built book; return what is wrong with them and what was seen."""
    if not (project.html / "index.html").is_file():
        raise Problem("there is no built book. Run `nox -s book` first.")
    pages = [
        path for path in sorted(project.html.rglob("*.html")) if "_static" not in path.parts and not _leads_on(path)
    ]
    listings = [path for path in pages if "_modules" in path.parts]
    largest = max(listings, key=lambda path: path.stat().st_size, default=None)
    read = {path.relative_to(project.html).as_posix(): links(path) for path in listings if path != largest}
    looked, found = asyncio.run(
        look(project.html, [path for path in pages if path not in listings or path == largest], SEARCHES)
    )
    seen = looked | read
    known = yaml.safe_load(KNOWN.read_text("utf-8")) if KNOWN.is_file() else {}
    return [*problems(project.html, seen), *limits(seen, known), *found], seen


class _Links(HTMLParser):
    """Collects the names and links of a page that no script changes."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._address, self.seen = path.as_uri(), Seen()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.seen.ids.add(value)
            elif tag == "a" and name == "href" and value:
                self.seen.links.add(urljoin(self._address, value))


def links(path: Path) -> Seen:
    """Return the names and links of a page as they are written."""
    parser = _Links(path)
    parser.feed(path.read_text("utf-8"))
    return parser.seen


def _leads_on(path: Path) -> bool:
    """Return whether a page only leads to another one."""
    return 'http-equiv="refresh"' in path.read_text("utf-8")[:1000].lower()


def problems(root: Path, seen: Mapping[str, Seen]) -> list[str]:
    """Return what is wrong on the pages and between them."""
    wrong = [f"{name}: {line}" for name, page in seen.items() for line in dict.fromkeys(page.wrong)]
    for name, page in seen.items():
        wrong += [f"{name}: {line}" for line in _dead_links(root, page, seen)]
    return wrong


def _dead_links(root: Path, page: Seen, seen: Mapping[str, Seen]) -> Iterator[str]:
    for link in sorted(page.links):
        parts = urlsplit(link)
        if parts.scheme != "file":
            continue
        path = Path(urllib.request.url2pathname(parts.path))
        if not path.is_file():
            yield f"a link to {link.removeprefix(root.as_uri())}, which does not exist."
        # One with values is what a script of the page reads, as the filter of claims does.
        elif parts.fragment and "=" not in parts.fragment and path.suffix == ".html":
            target = seen.get(path.relative_to(root).as_posix())
            if target is not None and unquote(parts.fragment) not in target.ids:
                yield f"a link to {path.relative_to(root).as_posix()}#{parts.fragment}, where nothing has this name."


def limits(seen: Mapping[str, Seen], known: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return which pages are taller or heavier than allowed, and which entries of the list of known ones are out of date."""
    wrong = []
    for kind, unit, most, measure in (
        ("tall", "phone screens", SCREENS, lambda page: math.ceil(page.height / PHONE[1])),
        ("heavy", "kB", WEIGHT // 1024, lambda page: math.ceil(page.weight / 1024)),
    ):
        listed = known.get(kind) or {}
        for name, page in seen.items():
            value, allowed = measure(page), listed.get(name, most)
            if value > allowed:
                wrong.append(f"{name}: {value} {unit}, more than {allowed}. Fold what is long, or split the page.")
            elif name in listed and (value <= most or value < _SHRUNK * allowed):
                remedy = "take it off the list" if value <= most else "lower its number on the list"
                wrong.append(f"{name}: {value} {unit}, {allowed} were allowed: {remedy} `{kind}` of {KNOWN.name}.")
        wrong += [
            f"{name}: is on the list `{kind}` of {KNOWN.name} but not in the book." for name in listed.keys() - seen
        ]
    return wrong


async def look(
    root: Path, pages: Sequence[Path], searches: Mapping[str, Sequence[str]]
) -> tuple[dict[str, Seen], list[str]]:
    """Load pages, as many at a time as there are cores, and search."""
    from playwright.async_api import async_playwright

    axe = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    seen: dict[str, Seen] = {}
    left = list(pages)[::-1]

    async def work(playwright: Any, first: bool) -> list[str]:
        # A browser each: pages of files share the process of a browser.
        browser = await playwright.chromium.launch(executable_path=web_browser())
        try:
            found = [*await _search(browser, root, searches), *await operate(browser, root)] if first else []
            # Pages of one context share what they loaded and compiled.
            context = await browser.new_context(viewport=_size(WIDE), color_scheme="light")
            while left:
                path = left.pop()
                seen[path.relative_to(root).as_posix()] = await _patiently(context, path, axe)
            return found
        finally:
            await browser.close()

    async with async_playwright() as playwright:
        found = await asyncio.gather(*(work(playwright, number == 0) for number in range(os.cpu_count() or 1)))
    return dict(sorted(seen.items())), [line for lines in found for line in lines]


def _size(pixels: tuple[int, int]) -> dict[str, int]:
    return dict(zip(("width", "height"), pixels, strict=True))


async def _turn(page: Any, size: tuple[int, int], theme: str) -> None:
    await page.set_viewport_size(_size(size))
    await page.emulate_media(color_scheme=theme)
    await page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)


async def _patiently(context: Any, path: Path, axe: str) -> Seen:
    """Look at a page, and once more where the browser did not answer."""
    for _ in range(2):
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(_see(context, path, axe), ANSWER)
    return Seen(wrong=[f"the browser did not answer within {ANSWER:g} s, twice."])


async def _see(context: Any, path: Path, axe: str) -> Seen:
    from playwright.async_api import Error

    seen, asked = Seen(), set[str]()
    page = await context.new_page()
    page.on("console", lambda said: seen.wrong.append(f"console: {said.text[:200]}") if said.type == "error" else None)
    page.on("pageerror", lambda error: seen.wrong.append(f"script: {str(error)[:200]}"))
    page.on("requestfailed", lambda request: seen.wrong.append(f"cannot load {request.url[:200]}"))
    page.on("request", lambda request: asked.add(request.url))
    try:
        await page.goto(path.as_uri(), wait_until="load")
        await page.evaluate("window.MathJax?.startup?.promise.then(() => true)")
        found = await page.evaluate(_LOOK)
        seen.ids, seen.links = set(found["ids"]), set(found["links"])
        seen.wrong += [f"a formula is not typeset: {text}" for text in found["raw"]]
        seen.wrong += [f"a formula has an error: {text}" for text in found["wrong"]]
        seen.wrong += [f"a picture without words: {source}" for source in found["bare"]]
        await page.add_style_tag(content="* { transition: none !important; }")  # colours on their way are no colours
        for size, theme in _VIEWS:
            await _turn(page, size, theme)
            measured = await page.evaluate(_SIZE)
            seen.height = measured["height"]
            seen.wrong += [f"on a phone {line}" for line in measured["cramped"]]
            if measured["wide"]:
                seen.wrong.append(f"{measured['wide']} px wide at {size[0]}: {measured['by']}")
        await _turn(page, PAPER, "dark")  # as a reader prints what he sees
        await page.evaluate(_FRAME)
        await page.emulate_media(media="print")
        await page.evaluate(_FRAME)
        seen.wrong += [f"on paper: {line}" for line in await page.evaluate(_PRINTED)]
        await page.emulate_media(media="screen")
        await page.evaluate(_FRAME)
        await page.evaluate(_PRUNE)
        await page.evaluate(axe)
        for size, theme, rules in _RULES:
            await _turn(page, size, theme)
            found = await page.evaluate(_AXE, [rules, {rule: selector for rule, (selector, _) in THEME.items()}])
            seen.wrong += [f"axe {one['rule']}: {one['at']}: {one['html']}" for one in found]
        seen.wrong += [f"asks another host: {url[:200]}" for url in sorted(asked) if _outside(url)]
        seen.weight = sum(_bytes(url) for url in asked)
    except Error as error:
        seen.wrong.append(f"the browser gave up: {error.message.splitlines()[0][:200]}")
    finally:
        await page.close()
    return seen


def _outside(url: str) -> bool:
    return urlsplit(url).scheme not in ("file", "data", "blob", "about")


def _bytes(url: str) -> int:
    """Return what a request of a page weighs; theme and MathJax are the same files for all."""
    parts = urlsplit(url)
    path = Path(urllib.request.url2pathname(parts.path))
    return path.stat().st_size if parts.scheme == "file" and "_static" not in path.parts and path.is_file() else 0


async def _search(browser: Any, root: Path, searches: Mapping[str, Sequence[str]]) -> list[str]:
    page, wrong = await browser.new_page(), []
    for words, wanted in searches.items():
        there = [name for name in wanted if (root / f"{name}.html").is_file()]
        if there:
            await page.goto(f"{(root / 'search.html').as_uri()}?q={words.replace(' ', '+')}")
            first = await (await page.wait_for_function(_FIRST, timeout=20_000)).json_value()
            name = first.partition("#")[0].partition("?")[0].removeprefix(f"{root.as_uri()}/").removesuffix(".html")
            if name not in there:
                wrong.append(f"search for {words!r} finds {name or 'nothing'} first, expected {' or '.join(there)}.")
    await page.close()
    return wrong
