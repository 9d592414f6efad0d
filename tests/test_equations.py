"""The list of the paper's equations: nothing cited is missing from it, nothing linked is missing from the book."""

import importlib
import inspect
import json
import re
from pathlib import Path

import pytest
from sphinx.application import Sphinx

from companion.claims import load_ledger
from companion.claims.places import EQUATIONS, equations
from companion.equations import MARK, MEANINGS, as_markdown, cited_by, collected, documented
from companion.errata import ERRATA
from neural_scaling.base.paths import data_root

ROOT = Path(__file__).parents[1]
CLAIMS = load_ledger(data_root() / "claims" / "ledger.json")
#: What looks like a citation of an equation, read more loosely than the list reads it.
LOOSE = re.compile(r"\b[Ee]q(?:s|uation|uations)?\.?\s+(\d+)")


@pytest.fixture(scope="module")
def found():
    return {equation.number: equation for equation in collected(CLAIMS, ROOT)}


def test_every_equation_of_the_paper_has_a_short_meaning():
    assert list(MEANINGS) == list(range(1, EQUATIONS + 1))
    assert all(0 < len(words) <= 75 and words.count("$") % 2 == 0 for words in MEANINGS.values())
    assert len(set(MEANINGS.values())) == EQUATIONS


def test_whatever_claims_and_errata_cite_is_found_there(found):
    for claim in CLAIMS:
        for number in map(int, LOOSE.findall(claim.location)):
            assert claim.id in {one.id for one in found[number].claims}
    for erratum in ERRATA:
        for number in map(int, LOOSE.findall(erratum.location)):
            assert erratum in found[number].errata


def test_whatever_public_functions_cite_links_to_them(found):
    cited = [
        (int(number), name)
        for name, thing in documented(ROOT)
        if inspect.isfunction(thing)
        for number in LOOSE.findall(thing.__doc__ or "")
    ]
    assert {10, 18, 44, 63, 84} <= {number for number, _ in cited}
    for number, name in cited:
        assert name in found[number].functions, (number, name)


def test_every_linked_name_is_one_of_the_library_and_listed_once(found):
    listed = [name for name, _ in documented(ROOT)]
    assert len(set(listed)) == len(listed)
    for equation in found.values():
        for name in equation.functions:
            module, _, member = name.rpartition(".")
            assert name in listed
            assert hasattr(importlib.import_module(module), member)


@pytest.mark.parametrize(
    ("number", "functions", "claim", "erratum"),
    [
        (10, {"neural_scaling.theory.chi", "neural_scaling.theory.effective_time"}, "fig05.a.rich.beta-0.1", None),
        # inside of eqs. 18-31, 26-31 and 27-31
        (29, {"neural_scaling.dmft.solve", "neural_scaling.dmft.march"}, "fig02.hard.theory.largest", "strictly-lower"),
        (66, {"neural_scaling.theory.self_consistent_curve"}, None, None),
        # the last of several
        (80, {"neural_scaling.theory.transient_exponent"}, "bottleneck.model.beta-0.5.equivalent", "floor-exponent"),
    ],
)
def test_known_places(found, number, functions, claim, erratum):
    assert functions <= set(found[number].functions)
    assert claim is None or claim in {one.id for one in found[number].claims}
    assert erratum is None or erratum in {one.name for one in found[number].errata}


def test_an_attribute_does_not_make_a_class_the_place_of_an_equation():
    class Result:
        """The result of eq. 44.

        Attributes
        ----------
        loss
            Test loss (eq. 5).
        """

    assert cited_by(Result) == [44]
    assert equations("eqs. 3-5, 16 and\n17, Fig. 2") == [3, 4, 5, 16, 17]


def test_the_page_has_the_mark_that_the_list_replaces():
    assert (ROOT / "book" / "equations.md").read_text("utf-8").count(MARK) == 1
    assert re.findall(r'id="eq-(\d+)"', as_markdown(CLAIMS, ROOT)) == [str(number) for number in MEANINGS]


@pytest.mark.slow
def test_the_search_of_the_book_finds_an_equation_by_its_number(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    settings = {"extensions": ["myst_parser"], "myst_enable_extensions": ["dollarmath"], "html_theme": "basic"}
    (source / "conf.py").write_text("\n".join(f"{name} = {value!r}" for name, value in settings.items()))
    (source / "index.md").write_text(f"# Equations\n\n{as_markdown(CLAIMS, ROOT)}\n")
    Sphinx(source, source, tmp_path / "html", tmp_path / "trees", "html", status=None, warning=None).build()
    index = json.loads((tmp_path / "html" / "searchindex.js").read_text()[len("Search.setIndex(") : -1])
    shown = (tmp_path / "html" / "index.html").read_text()
    for words in ("eq. 29", "eq 29", "equation 29", "(29)"):
        ((_, anchor, is_main),) = index["indexentries"][words]
        assert is_main  # else the search puts other pages first
        assert re.search(rf'<div class="equation" id="eq-29">\s*<p id="{anchor}">', shown)
