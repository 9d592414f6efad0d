"""The pages of the library: their examples run and print what they say, and every public name stands on one of them."""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "book" / "library.md", *sorted((ROOT / "book" / "library").glob("*.md"))]
WIDE = 86  # characters of a line that a box of code shows beside both columns of a page


@pytest.mark.parametrize("page", sorted((ROOT / "book").glob("**/*.md")), ids=lambda page: page.stem)
def test_examples_need_not_be_scrolled(page):
    blocks = re.findall(r"^```(?:pycon|python|bash)\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert [line for block in blocks for line in block.splitlines() if len(line) > WIDE] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_example_of_a_page_prints_what_the_page_says(page):
    blocks = re.findall(r"^```pycon\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert blocks
    example = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, page.stem, str(page), 0)
    wrong = []
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(example, out=wrong.append)
    assert not wrong, "".join(wrong)


MODULE = '''
"""What is here.

How it works, at length.
"""

__all__ = ["TABLE", "WIDTH", "Kept", "grow"]

WIDTH = 8
"""A width."""

TABLE = {number: "a long entry" for number in range(50)}
"""A table of data."""


class Kept:
    """A class."""


def grow(width):
    """Return twice :func:`grow`.

    Parameters
    ----------
    width
        The N of it.
    """
'''


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A page with a module, built with the extensions that the book has for it."""
    from bs4 import BeautifulSoup
    from sphinx.cmd.build import build_main

    root = tmp_path_factory.mktemp("folded")
    (root / "a_module_to_fold.py").write_text(MODULE)
    for name in ("second", "third"):
        (root / f"a_{name}_module.py").write_text(f'"""What the {name} has.\n\nHow the {name} works.\n"""\n')
    names = ("a_module_to_fold", "a_second_module", "a_third_module")
    modules = [f".. automodule:: {name}\n   :members:\n" for name in names]
    (root / "index.rst").write_text("\n".join(["Page\n====\n", *modules]))
    extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "folded"]
    paths = [str(root), str(ROOT / "book" / "_ext")]
    (root / "conf.py").write_text(f"import sys\nsys.path[:0] = {paths}\nextensions = {extensions}\n")
    assert build_main(["-q", "-W", str(root), str(root / "html")]) == 0
    return BeautifulSoup((root / "html" / "index.html").read_text("utf-8"), "html.parser")


@pytest.mark.slow
def test_an_entry_is_one_line_that_opens(built):
    lines = [one.find("summary").get_text(" ", strip=True) for one in built.select("details.entry")]
    assert lines == ["grow Return twice grow() .", "Kept A class.", "TABLE A table of data.", "WIDTH A width."]
    first = built.find("details", class_="entry")
    assert first.select_one("summary a") is None  # a tap on the line has one meaning
    assert first.find("dt", id="a_module_to_fold.grow") is not None and "The N of it." in first.find("dl").get_text()
    assert built.get_text().count("Return twice") == 1


@pytest.mark.slow
def test_what_a_module_says_beyond_a_paragraph_opens(built):
    more = [one.get_text(" ", strip=True).partition("module ")[2] for one in built.select("details.more")]
    assert more == ["How it works, at length.", "How the second works.", "How the third works."]
    for words in ("What is here.", "What the second has.", "What the third has."):
        assert built.find("p", string=words).find_parent("details") is None


@pytest.mark.slow
def test_a_signature_shows_short_values_and_no_tables_of_data(built):
    assert "= 8" in built.find("dt", id="a_module_to_fold.WIDTH").get_text()
    assert "a long entry" not in built.get_text()
