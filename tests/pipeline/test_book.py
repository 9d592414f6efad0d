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


def test_a_warning_stops_the_build(with_both):
    text = with_both.root / "book" / "text.md"
    text.write_text(text.read_text() + "\n{ref}`nowhere`\n")
    with pytest.raises(Problem, match="undefined label: 'nowhere'"):
        sphinx_book.build(with_both)
