"""A term shows its definition where it is used."""

import json
import shutil
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx

pytestmark = pytest.mark.slow  # it builds a small book
EXTENSIONS = Path(__file__).resolve().parents[2] / "book" / "_ext"

WORDS = r"""# Words

```{glossary}
capacity
steepness
  The exponent $\alpha$ of the {term}`decay`.

  A second paragraph.

decay
  Zebras.
```
"""
PAGES = {
    "index": "# First\n\n```{toctree}\nwords\nuse\n```\n",
    "words": WORDS,
    "use": "# Use\n\nThe {term}`capacity`, {term}`again <steepness>`.\n\n| a |\n| --- |\n| {term}`decay` |\n",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("terms")
    for name, text in PAGES.items():
        (root / f"{name}.md").write_text(text)
    shutil.copy(EXTENSIONS / "terms.py", root / "terms.py")
    (root / "conf.py").write_text(
        "extensions = ['myst_parser', 'sphinx.ext.mathjax', 'terms']\n"
        "myst_enable_extensions = ['dollarmath']\nmathjax_path = 'local.js'\n"
    )
    # The builder says what it does, and what tools it uses are to change; neither is of interest here.
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.syspath_prepend(root)
        Sphinx(root, root, root / "out", root / "trees", "html", status=None, warning=None, freshenv=True).build()
    return root / "out"


@pytest.fixture
def page(built):
    return lambda name: BeautifulSoup((built / f"{name}.html").read_text("utf-8"), "html.parser")


def test_a_term_has_its_first_paragraph_behind_it(page):
    shown = page("use").select(".term > .definition")
    assert [one.get_text() for one in shown] == [r"The exponent \(\alpha\) of the decay."] * 2
    assert all(one["role"] == "tooltip" and not one.find("a") for one in shown)
    assert len({one["id"] for one in shown}) == 2
    assert [link["href"] for link in page("use").select(".term > a")] == [
        "words.html#term-capacity",
        "words.html#term-steepness",
    ]


def test_in_a_table_and_in_the_glossary_a_term_is_a_link(page):
    assert page("use").select_one("table a")["href"] == "words.html#term-decay"
    assert not page("use").select("table .definition")
    assert not page("words").select(".definition")


def test_a_page_with_formulas_in_definitions_alone_has_the_script_for_formulas(page):
    assert page("use").select('script[src*="local.js"]')


def test_the_search_finds_the_glossary_and_not_every_use(built):
    text = (built / "searchindex.js").read_text("utf-8")
    index = json.loads(text[text.index("(") + 1 : text.rindex(")")])
    assert index["docnames"][index["terms"]["zebra"]] == "words"
    assert index["docnames"][index["terms"]["expon"]] == "words"
