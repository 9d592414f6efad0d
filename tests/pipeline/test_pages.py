"""The check of the built pages finds what a reader would stumble over, and nothing else."""

import pytest

from bookkit import pages

GOOD = """<html><head><link rel="stylesheet" href="x.css"><link rel="canonical" href="https://example.org/x">
<script src="x.js"></script><script>let text = "see https://example.org";</script></head><body><main>
<h1>A text<a class="headerlink" href="#">#</a></h1><a href="https://example.org">a link</a>
<img src="x.png" alt="A curve."></main></body></html>"""


@pytest.fixture
def page(project):
    """Write a page of a built book; return what the check of that page finds."""
    project.html.mkdir(parents=True)
    (project.html / "x.png").write_bytes(b"png")
    (project.html / "index.html").write_text(GOOD)

    def check(text):
        path = project.html / "page.html"
        path.write_text(text)
        return pages.page_problems(path, "page.html")

    return check


def test_a_whole_page_passes(page):
    assert page(GOOD) == []


@pytest.mark.parametrize(
    "element",
    [
        '<script src="https://cdn.example.org/x.js"></script>',
        '<script src="//cdn.example.org/x.js"></script>',
        '<script>fetch("https://example.org/data")</script>',
        '<script type="module">import x from "https://example.org/x.js";</script>',
        '<script>const X_URL = "https://example.org/x.js";</script>',
        '<link rel="stylesheet" href="https://example.org/x.css">',
        '<img src="https://example.org/x.png" alt="A picture.">',
        '<img src="x.png" srcset="https://example.org/x.png 2x" alt="A picture.">',
        '<iframe src="http://example.org"></iframe>',
        "<style>@import url(https://example.org/x.css);</style>",
        '<p style="background: url(//example.org/x.png)">x</p>',
    ],
)
def test_an_outside_request_is_found(page, element):
    assert any("asks another host" in line for line in page(GOOD.replace("</main>", f"{element}</main>")))


@pytest.mark.parametrize(
    "element",
    [
        '<div class="system-message">Unknown role</div>',
        '<a href="#"><span class="problematic">x</span></a>',
        '<div class="output traceback highlight">ValueError</div>',
        "<pre>Traceback (most recent call last): ...</pre>",
    ],
)
def test_an_error_box_is_found(page, element):
    (wrong, *_) = page(GOOD.replace("</main>", f"{element}</main>"))
    assert wrong.startswith("page.html: ")
    assert "error box" in wrong or "traceback" in wrong


@pytest.mark.parametrize("image", ['<img src="x.png">', '<img src="x.png" alt="">', '<img src="x.png" alt="x.png">'])
def test_a_picture_without_words_is_found(page, image):
    assert page(GOOD.replace("</main>", f"{image}</main>")) == ["page.html: the image 'x.png' has no alt text."]


def test_a_picture_that_is_not_there_is_found(page):
    assert page(GOOD.replace("x.png", "y.png")) == ["page.html: the image 'y.png' does not exist."]


def test_pages_of_the_table_of_contents_are_expected(project, page):
    (project.html / "book").mkdir()
    (project.html / "book" / "text.html").write_text(GOOD.replace('"x.png"', '"../x.png"'))
    assert pages.toc_pages(project) == ["book/text", "book/pages/tiny"]
    assert pages.check(project) == ["book/pages/tiny.html is missing from the book."]
    (project.html / "book" / "text.html").write_text(GOOD.replace('"x.png"', '"../x.png"').replace("A text", "Else"))
    assert any("its heading is 'Else', expected 'A text'" in line for line in pages.check(project))
    (project.html / "index.html").unlink()
    assert any("index.html" in line for line in pages.check(project))


def test_only_what_has_changed_or_was_wrong_is_read_again(project, page, monkeypatch):
    (project.html / "wrong.html").write_text(GOOD.replace("x.png", "gone.png"))
    assert len(pages.check(project, [])) == 1
    read, original = [], pages.page_problems
    monkeypatch.setattr(pages, "page_problems", lambda path, *more: read.append(path.name) or original(path, *more))
    assert len(pages.check(project, [])) == 1
    assert read == ["wrong.html"]
    (project.html / "index.html").write_text(GOOD.replace("</main>", "<p>More.</p></main>"))
    pages.check(project, [])
    assert read == ["wrong.html", "index.html", "wrong.html"]


def test_a_stylesheet_that_asks_another_host_is_found(project, page):
    (project.html / "x.css").write_text("a { background: url('https://example.org/x.png') }")
    assert "x.css asks another host for https://example.org/x.png" in pages.check(project, [])


@pytest.mark.parametrize("text", ["0.97 +- nan", "nan", "[nan, 1]", "NaN %"])
def test_a_number_that_is_none_is_found_in_outputs(page, text):
    output = f'<div class="cell_output"><pre>N = 16\n{text}\n</pre></div>'
    assert page(GOOD.replace("</main>", f"{output}</main>")) == [f"page.html: shows {text!r}."]
    harmless = '<p>nan stands for no number</p><div class="cell_output">nanometres, a-nan, nan.py</div>'
    assert page(GOOD.replace("</main>", f"{harmless}</main>")) == []
