"""The look at the built book in a browser finds each fault on a small page that has it, and nothing on a whole one."""

import asyncio
import re
from pathlib import Path

import pytest

from bookkit import browser
from bookkit.browser import Seen

FRAME = """<!doctype html><html lang="en"><head><title>A page</title><link rel="icon" href="data:,"></head><body><main>
<h1 id="top">A page</h1><p>It costs $5, or $6 with code <code>\\frac $x$</code>, see <a href="whole.html#top">there</a>.</p>
{}</main></body></html>"""
FAULTS = {
    "whole": ("<img src='data:,' alt='A curve.'><p style='overflow-x: auto' tabindex='0'>Text.</p>", []),
    "console": ("<script>console.error('it is broken')</script>", ["console: it is broken"]),
    "script": ("<script>undefined.x</script>", ["script: Cannot read properties of undefined"]),
    "outside": (
        "<img src='https://example.invalid/x.png' alt='A curve.'>",
        [
            "cannot load https://example.invalid/x.png",
            "console: Failed",
            "asks another host: https://example.invalid/x.png",
        ],
    ),
    "dollars": ("<p>so $a = b$ holds</p>", ["a formula is not typeset: so $a = b$ holds"]),
    "backslash": ("<p>so \\frac{a}{b} holds</p>", ["a formula is not typeset: so \\frac{a}{b} holds"]),
    "typeset_wrongly": (
        "<mjx-container><svg><g data-mml-node='merror'><text>Undefined</text></g></svg></mjx-container>",
        ["a formula has an error: Undefined"],
    ),
    "wide": ("<div style='width: 700px'>x</div>", ['708 px wide at 390: <div style="width: 700px">']),
    "picture": ("<img src='data:,' role='img'>", ["a picture without words: data:,", "axe image-alt"]),
    "page_link": ("<a href='gone.html'>x</a>", ["a link to /gone.html, which does not exist."]),
    "anchor": ("<a href='whole.html#gone'>x</a>", ["a link to whole.html#gone, where nothing has this name."]),
    "list": ("<div role='list'><p>x</p></div>", ["axe aria-required-children"]),
    "list_of_the_theme": ("<div role='list' class='citation-list'><p>x</p></div>", []),
    "button": ("<button></button>", ["axe button-name", "on paper: <button></button> is of no use there"]),
    "fold": ("<details><summary>x</summary>y</details>", ["on paper: 1 folds are closed"]),
    "dark_figure": ("<img src='data:,' class='only-dark' alt='x'>", ['on paper: a figure is dark: <img src="data:,"']),
    "dark_paper": (
        "<style>[data-theme=dark] :is(body, a) { color: #eee; background: #222 }</style>",
        ["on paper: rgb(238, 238, 238) on rgb(34, 34, 34)"],
    ),
    "wide_paper": (
        "<style>@media print { #wide { width: 900px } }</style><p id='wide'>x</p>",
        ['on paper: 908 px wide at 718: <p id="wide">x</p>'],
    ),
    "pale": ("<p style='color: #ccc; background: #fff'>pale</p>", ["axe color-contrast"]),
    "pale_in_the_dark": (
        "<style>[data-theme=dark] #pale { color: #333; background: #222 }</style><p id='pale'>pale</p>",
        ["axe color-contrast: #pale"],
    ),
    "pale_among_many": (
        f"<ul>{'<li>dark</li>' * 30}<li id='pale' style='color: #ccc'>pale</li>{'<li>dark</li>' * 30}</ul>",
        ["axe color-contrast: #pale"],
    ),
    "tall": ("<div style='height: 21200px'></div>", ["26 phone screens, more than 25."]),
    "panel": (
        "<div class='book-figure'><div class='panel' tabindex='0' style='overflow-x: auto'>"
        "<div style='width: 500px'>x</div></div></div>",
        ["on a phone a panel scrolls sideways"],
    ),
    "covered": (
        "<div style='position: relative'><pre style='padding-top: 1em'>code</pre>"
        "<button class='copybtn' style='position: absolute; top: 0; height: 2em'>copy</button></div>",
        ["on a phone a button covers code", "on paper: <button class"],
    ),
    "narrow": (
        f"<table><tr><td><div style='width: 80px'>{'word ' * 9}</div></td></tr></table>",
        ["on a phone a column is too narrow for word"],
    ),
    "narrow_for_ears": (
        f"<table><tr><td><div style='width: 80px'>10<span class='visually-hidden'>{'word ' * 9}</span>7</div></td></tr></table>"
        "<style>.visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; }</style>",
        [],
    ),
    "heavy": ("<img src='heavy.svg' alt='A curve.'>", ["1025 kB, more than 1024."]),
}
SEARCH = """<!doctype html><html lang="en"><head><title>Search</title></head><body><h1>Search</h1><div id="search-results"></div>
<script>setTimeout(() => { document.getElementById("search-results").innerHTML =
  '<p class="search-summary">done</p><ul class="search"><li><a href="whole.html#top">x</a></li></ul>' }, 50)</script>
</body></html>"""


@pytest.mark.long
def test_each_fault_is_found_and_nothing_else(tmp_path):
    """One test, for two processes would look at all pages each."""
    lacking = browser.missing()
    if lacking:
        pytest.skip(lacking)
    for name, (body, _) in FAULTS.items():
        (tmp_path / f"{name}.html").write_text(FRAME.format(body))
    picture = "<svg xmlns='http://www.w3.org/2000/svg'><!-- {} --></svg>"
    size = browser.WEIGHT - (tmp_path / "heavy.html").stat().st_size - len(picture.format("")) + 1
    (tmp_path / "heavy.svg").write_text(picture.format("x" * size))
    (tmp_path / "search.html").write_text(SEARCH)
    searches = {"right": ("whole",), "wrong": ("tall",), "no page": ("nowhere",)}
    seen, found = asyncio.run(browser.look(tmp_path, [tmp_path / f"{name}.html" for name in FAULTS], searches))
    said = [*browser.problems(tmp_path, seen), *browser.limits(seen, {})]
    for name, (_, expected) in FAULTS.items():
        lines = sorted(line.removeprefix(f"{name}.html: ") for line in said if line.startswith(f"{name}.html: "))
        assert len(lines) == len(expected), (name, lines)
        assert all(line.startswith(start) for line, start in zip(lines, sorted(expected), strict=True)), (name, lines)
    assert found == ["search for 'wrong' finds whole first, expected tall."]


@pytest.mark.long
def test_a_page_that_never_answers_is_given_up(tmp_path, monkeypatch):
    lacking = browser.missing()
    if lacking:
        pytest.skip(lacking)
    monkeypatch.setattr(browser, "ANSWER", 2.0)
    page = tmp_path / "still.html"
    page.write_text(FRAME.format("<script>window.requestAnimationFrame = () => 0</script>"))
    seen, _ = asyncio.run(browser.look(tmp_path, [page], {}))
    assert seen["still.html"].wrong == ["the browser did not answer within 2 s, twice."]


def test_a_page_that_is_only_read_has_the_links_of_one_that_is_seen(tmp_path):
    (tmp_path / "whole.html").write_text(FRAME.format("<a href='whole.html#top'>x</a>"))
    (tmp_path / "read.html").write_text(FRAME.format("<a href='gone.html'>x</a><a href='whole.html#away'>y</a>"))
    seen = {path.name: browser.links(path) for path in tmp_path.iterdir()}
    assert browser.problems(tmp_path, seen) == [
        "read.html: a link to /gone.html, which does not exist.",
        "read.html: a link to whole.html#away, where nothing has this name.",
    ]


def test_what_is_searched_for_is_a_page_of_the_book():
    # A page that the book does not have is left out of the search, and a name without its comma is no page.
    listed = re.findall(r"^\s*- file: (\S+)", (Path(__file__).parents[2] / "_toc.yml").read_text("utf-8"), re.MULTILINE)
    assert {name for wanted in browser.SEARCHES.values() for name in wanted} <= set(listed)


def test_a_list_of_known_pages_can_only_shrink():
    def said(height, listed):
        seen = {"page.html": Seen(height=height * browser.PHONE[1])}
        return browser.limits(seen, {"tall": listed})

    assert said(30, {"page.html": 30}) == []
    assert said(31, {"page.html": 30}) == [
        "page.html: 31 phone screens, more than 30. Fold what is long, or split the page."
    ]
    assert said(28, {"page.html": 30}) == []
    assert "lower its number on the list" in said(26, {"page.html": 30})[0]
    assert "take it off the list" in said(25, {"page.html": 30})[0]
    assert said(3, {"gone.html": 30}) == ["gone.html: is on the list `tall` of known_pages.yaml but not in the book."]


def test_what_is_lacking_is_said_in_one_line(monkeypatch):
    monkeypatch.setattr(browser, "web_browser", lambda: None)
    assert "no browser was found: " in browser.missing() and "\n" not in browser.missing()
    monkeypatch.setattr(browser, "web_browser", lambda: "/usr/bin/chromium")
    monkeypatch.setattr(browser, "PACKAGES", ("no_such_package",))
    assert browser.missing() == "not installed: no_such_package; run `nox -s browser`."
