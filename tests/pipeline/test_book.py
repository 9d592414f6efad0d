"""The whole way once: a strict book of a notebook at its largest scale, whole and without outside requests."""

import subprocess

import pytest
from bs4 import BeautifulSoup

from bookkit import commands, compose, pages, sphinx_book
from bookkit.problems import Problem


@pytest.fixture
def composed(copied):
    """The executed tiny project with its page."""
    compose.write(copied)
    return copied


def test_the_book_builds_strictly_with_one_page_an_item_and_passes_the_check(copied, capsys):
    commands.book(copied)
    out = capsys.readouterr().out
    assert "tiny       small   reused (nothing changed)" in out
    assert f"The book: {(copied.html / 'index.html').as_uri()}" in out
    assert sorted(path.name for path in (copied.html / "book").rglob("*.html")) == ["text.html", "tiny.html"]
    page = (copied.html / "book" / "pages" / "tiny.html").read_text()
    assert "../../_static/mathjax/tex-svg-full.js" in page
    assert "sphinx-thebe.js" not in page and "THEBE_JS_URL" not in page
    assert pages.check(copied) == []

    assert "searchindex.js" not in page and "searchindex.js" in (copied.html / "search.html").read_text()
    soup = BeautifulSoup(page, "html.parser")
    assert soup.select_one("p.page-head span.scale").get_text() == "full scale"
    assert "values: 1.0 4.0 9.0 16.0 25.0" in soup.select_one("main").get_text()
    folded = [box.select_one("summary").get_text(strip=True) for box in soup.select("details.sd-dropdown")]
    assert folded == ["Parameters", "Live check", "Rerun", "Code of this page", "Provenance"]
    code = [box for box in soup.select("main div.highlight-ipython3, main div.cell_input")]
    assert code == []  # none between the paragraphs
    assert "bounded(page" in soup.select_one("main div.highlight-python").get_text()  # but below
    check_figure(soup.select_one("figure#fig-tiny div.book-figure"), copied.html / "book" / "pages")


def check_figure(figure, folder):
    """Check that a figure shows both grounds, in one piece and as a panel, and that what it offers is there."""
    for part in ("button.whole", "div.stack"):
        light, dark = figure.select(f"{part} img")
        assert (light["class"], dark["class"]) == (["only-light"], ["only-dark"])
        assert light["alt"] == dark["alt"] == "Growing values."
        assert (light["src"], dark["src"]) == (
            "../../_figures/tiny-fig-tiny.svg",
            "../../_figures/tiny-fig-tiny-dark.svg",
        )
        assert all((folder / image["src"]).is_file() for image in (light, dark))
    assert figure.select_one("button.whole")["aria-label"] == "Enlarge: Growing values."
    links = {link.get_text(): folder / link["href"] for link in figure.select("p.files a[download]")}
    assert list(links) == ["figure", "CSV", "NPZ"] and all(path.is_file() for path in links.values())
    rows = links["CSV"].read_text().splitlines()
    assert rows == ["panel,curve,x,y", *(f"1,values,{n - 1:.1f},{n**2:.1f}" for n in range(1, 6))]
    assert 'id="figure"' not in links["figure"].read_text()


def test_a_build_goes_on_from_the_last_success_and_never_from_a_failure(composed):
    text = composed.root / "book" / "text.md"
    whole = text.read_text()
    sphinx_book.build(composed)
    first = set(composed.build.glob("built-*"))
    text.write_text(whole + "\nA new sentence.\n")
    sphinx_book.build(composed, anew=False)
    assert set(composed.build.glob("built-*")) == first
    assert "A new sentence." in (composed.html / "book" / "text.html").read_text()
    text.write_text(whole + "\n{ref}`nowhere`\n")
    for _ in range(2):  # a builder that went on from the failure would not repeat the warning
        with pytest.raises(Problem, match="undefined label: 'nowhere'"):
            sphinx_book.build(composed, anew=False)
    assert "A new sentence." in (composed.html / "book" / "text.html").read_text()
    text.write_text(whole)
    pages.found_good(composed).write_text("")
    sphinx_book.build(composed)
    assert not pages.found_good(composed).exists()  # all pages of a new build are checked
    text.write_text(whole.replace("(text-page)=\n", ""))  # another page refers to it
    with pytest.raises(Problem, match="text-page"):
        sphinx_book.build(composed)


def test_a_build_does_not_start_where_neither_sources_nor_pages_have_changed(composed, monkeypatch):
    readme, page = composed.root / "README.md", composed.html / "book" / "text.html"
    readme.write_text("one")
    sphinx_book.build(composed)
    start, started = subprocess.run, []
    monkeypatch.setattr(subprocess, "run", lambda *words, **more: started.append(words) or start(*words, **more))
    assert sphinx_book.build(composed, anew=False) == composed.html / "index.html" and not started
    readme.write_text("two")
    sphinx_book.build(composed, anew=False)
    assert len(started) == 1
    page.unlink()
    sphinx_book.build(composed, anew=False)
    assert len(started) == 2 and page.is_file()
    sphinx_book.build(composed, anew=False)
    assert len(started) == 2


def test_pages_are_read_anew_when_what_shapes_all_of_them_changes(composed):
    other = composed.root / "book" / "other.md"
    other.write_text("# Another text\n")
    whole = composed.toc.read_text()
    composed.toc.write_text(whole + "  - file: book/other\n")
    sphinx_book.build(composed)
    (first,) = composed.build.glob("built-*")
    assert (composed.html / "book" / "other.html").exists()
    composed.toc.write_text(whole)
    other.unlink()
    sphinx_book.build(composed, anew=False)
    assert not first.exists()
    assert not (composed.html / "book" / "other.html").exists()
