"""The whole way once: a strict book of both versions of a notebook, whole and without outside requests."""

import pytest

from bookkit import commands, pages, sphinx_book
from bookkit.problems import Problem


@pytest.fixture
def with_both(copied):
    copied.toc.write_text(copied.toc.read_text() + "  - file: book/_executed/tiny_full\n")
    return copied


def test_the_book_builds_strictly_with_both_versions_and_passes_the_check(with_both, capsys):
    commands.book(with_both)
    out = capsys.readouterr().out
    assert "tiny       small   reused (nothing changed)" in out
    assert f"The book: {(with_both.html / 'index.html').as_uri()}" in out
    page = (with_both.html / "book" / "_executed" / "tiny_full.html").read_text()
    assert "A tiny notebook (full scale)" in page
    assert 'id="fig-tiny-full"' in page
    assert "../../_static/mathjax/tex-svg-full.js" in page
    assert "sphinx-thebe.js" not in page and "THEBE_JS_URL" not in page
    assert pages.check(with_both) == []


def test_a_build_goes_on_from_the_last_success_and_never_from_a_failure(with_both):
    text = with_both.root / "book" / "text.md"
    whole = text.read_text()
    sphinx_book.build(with_both)
    first = set(with_both.build.glob("built-*"))
    text.write_text(whole + "\nA new sentence.\n")
    sphinx_book.build(with_both, anew=False)
    assert set(with_both.build.glob("built-*")) == first
    assert "A new sentence." in (with_both.html / "book" / "text.html").read_text()
    text.write_text(whole + "\n{ref}`nowhere`\n")
    for _ in range(2):  # a builder that went on from the failure would not repeat the warning
        with pytest.raises(Problem, match="undefined label: 'nowhere'"):
            sphinx_book.build(with_both, anew=False)
    assert "A new sentence." in (with_both.html / "book" / "text.html").read_text()
    text.write_text(whole)
    pages.found_good(with_both).write_text("")
    sphinx_book.build(with_both)
    assert not pages.found_good(with_both).exists()  # all pages of a new build are checked
    text.write_text(whole.replace("(text-page)=\n", ""))  # another page refers to it
    with pytest.raises(Problem, match="text-page"):
        sphinx_book.build(with_both)


def test_pages_are_read_anew_when_what_shapes_all_of_them_changes(with_both):
    sphinx_book.build(with_both)
    (first,) = with_both.build.glob("built-*")
    with_both.toc.write_text(with_both.toc.read_text().replace("  - file: book/_executed/tiny_full\n", ""))
    (with_both.executed / "tiny_full.ipynb").unlink()
    sphinx_book.build(with_both, anew=False)
    assert not first.exists()
    assert not (with_both.html / "book" / "_executed" / "tiny_full.html").exists()
