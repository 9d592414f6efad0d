"""The built book as a reader meets it: all pages there, nothing broken, nothing asked of another host."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import yaml
from bs4 import BeautifulSoup, Tag

from bookkit.problems import Problem
from bookkit.project import Project, write_atomically

#: Attributes that make a browser fetch something, by element. A plain ``<a href>`` fetches nothing.
FETCHING = {
    "script": ("src",),
    "link": ("href",),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
    "iframe": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "track": ("src",),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
}
# Links that a browser reads but does not follow by itself.
PASSIVE_LINKS = {"canonical", "author", "license", "next", "prev", "search", "index", "copyright"}
STYLE_URL = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s]+)""")
SCRIPT_URL = re.compile(
    r"""(?:\bfetch|\bimport|importScripts)\s*\(\s*["'`]((?:https?:)?//[^"'`]+)|"""
    r"""\bfrom\s+["']((?:https?:)?//[^"']+)|\.src\s*=\s*["'`]((?:https?:)?//[^"'`]+)|"""
    r"""_URL\s*=\s*["'`]((?:https?:)?//[^"'`]+)"""
)
BROKEN = (
    "div.system-message",
    "span.problematic",
    "div.output.traceback",
    "div.output.error",
    "p.system-message-title",
)
# A number that is none, as Python prints it in the output of a cell.
NO_NUMBER = re.compile(r"(?<![\w.-])nan(?![\w.-])", re.IGNORECASE)
SPAN = re.compile(r"</?span\b[^>]*>")
#: Colours of code, three quarters of all elements, in which nothing is looked for.
COLOURED = re.compile(r'<span class="[a-z]{1,2}\d?">')
MARKUP = re.compile(r"\{[\w:.-]+\}|[`*_$\\{}]")


def toc_pages(project: Project) -> list[str]:
    """Return the pages that the table of contents names, without suffixes, in order."""

    def walk(node: object) -> Iterator[str]:
        if isinstance(node, dict):
            for name, value in node.items():
                if name in ("root", "file"):
                    yield str(value)
                else:
                    yield from walk(value)
        elif isinstance(node, list):
            for value in node:
                yield from walk(value)

    return list(walk(yaml.safe_load(project.toc.read_text("utf-8"))))


def title(project: Project, page: str) -> str:
    """Return the title that the source of a page gives it, empty if it has none."""
    base = project.root / page
    if base.with_name(f"{base.name}.ipynb").is_file():
        notebook = nbformat.read(base.with_name(f"{base.name}.ipynb"), as_version=4)
        text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    elif base.with_name(f"{base.name}.md").is_file():
        text = base.with_name(f"{base.name}.md").read_text("utf-8")
    else:
        raise Problem(f"_toc.yml names {page}, but there is no {page}.md and no {page}.ipynb. Correct the entry.")
    found = re.search(r"^# +(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else ""


def found_good(project: Project) -> Path:
    """Return the file that names the pages found good; a build anew removes it, as images count by their name only."""
    return project.build / "found-good"


def check(project: Project, pages: list[str] | None = None) -> list[str]:
    """Check the built book; a page that was found good and has not changed is not read again."""
    wrong, titles = [], {}
    for page in toc_pages(project) if pages is None else pages:
        if (project.html / f"{page}.html").is_file():
            titles[f"{page}.html"] = title(project, page)
        else:
            wrong.append(f"{page}.html is missing from the book.")
    if not (project.html / "index.html").is_file():
        wrong.append("index.html, the front door, is missing from the book.")
    record = found_good(project)
    good, found = set(record.read_text("utf-8").split()) if record.is_file() else set(), []
    rules = Path(__file__).read_bytes()
    for path in sorted(project.html.rglob("*.html")):
        name = path.relative_to(project.html).as_posix()
        if name.startswith("_static/"):
            continue
        key = hashlib.sha256(rules + f"{name}\0{titles.get(name, '')}\0".encode() + path.read_bytes()).hexdigest()
        problems = [] if key in good else page_problems(path, name, titles.get(name))
        wrong += problems
        found += [] if problems else [key]
    write_atomically(record, "\n".join(found))
    for path in sorted(project.html.rglob("*.css")):
        name = path.relative_to(project.html).as_posix()
        wrong += [f"{name} asks another host for {url}" for url in STYLE_URL.findall(path.read_text("utf-8"))]
    return wrong


def page_problems(path: Path, name: str, expected: str | None = None) -> list[str]:
    """Return what is wrong with one page: error boxes, `nan`, outside requests, images, alt texts, its title if that is given."""
    soup = BeautifulSoup(_uncoloured(path.read_text("utf-8")), "html.parser")
    wrong = [] if expected is None else _title_problems(soup, expected, name)
    wrong += [f"{name}: an error box: {box.get_text(' ', strip=True)[:200]}" for box in soup.select(", ".join(BROKEN))]
    if "Traceback (most recent call last)" in soup.get_text():
        wrong.append(f"{name}: a traceback is shown.")
    for output in soup.select("div.cell_output"):
        wrong += [
            f"{name}: shows {line.strip()!r}." for line in output.get_text().splitlines() if NO_NUMBER.search(line)
        ]
    wrong += [f"{name}: asks another host for {url}" for url in _outside(soup)]
    for image in soup.find_all("img"):
        wrong += _image_problems(image, path, name)
    return wrong


def _uncoloured(text: str) -> str:
    """Return a page without the spans that only colour code."""
    dropped: list[bool] = []

    def kept(tag: re.Match[str]) -> str:
        if tag[0] == "</span>":
            return "" if dropped and dropped.pop() else tag[0]
        dropped.append(COLOURED.fullmatch(tag[0]) is not None)
        return "" if dropped[-1] else tag[0]

    return SPAN.sub(kept, text)


def _title_problems(soup: BeautifulSoup, expected: str, name: str) -> list[str]:
    if not expected:
        return [f"{name}: its source has no title. Start it with a line `# Title`."]
    heading = soup.find("h1")
    shown = heading.get_text(" ", strip=True).removesuffix("#").strip() if heading else ""
    # Formulas and roles are rendered differently from how they are written: compare what comes before.
    plain = MARKUP.split(expected)[0]
    if not shown or not re.sub(r"\W", "", shown).startswith(re.sub(r"\W", "", plain)):
        return [f"{name}: its heading is {shown!r}, expected {expected!r}."]
    return []


def _image_problems(image: Tag, path: Path, name: str) -> list[str]:
    source = str(image.get("src", ""))
    wrong = []
    if not source.startswith("data:") and not urlsplit(source).netloc:
        target = path.parent / unquote(urlsplit(source).path)
        if not source or not target.is_file():
            wrong.append(f"{name}: the image {source!r} does not exist.")
    alternative = str(image.get("alt") or "").strip()
    # Where no text is given the builder falls back on the file's name, which tells a listener nothing.
    hidden = image.get("aria-hidden") == "true" or image.get("role") == "presentation"
    if not hidden and (
        not alternative
        or alternative == source
        or alternative.startswith("_images/")
        or Path(source).name in alternative
    ):
        wrong.append(f"{name}: the image {source[:80]!r} has no alt text.")
    return wrong


def _outside(soup: BeautifulSoup) -> Iterator[str]:
    for element in soup.find_all(list(FETCHING)):
        relation: list[str] = list(element.get("rel") or [])
        if element.name == "link" and set(relation) & PASSIVE_LINKS:
            continue
        for attribute in FETCHING[element.name]:
            value = str(element.get(attribute) or "")
            addresses = (
                [part.split()[0] for part in value.split(",") if part.split()] if attribute == "srcset" else [value]
            )
            yield from (address for address in addresses if _is_outside(address))
    for element in soup.find_all("style"):
        yield from STYLE_URL.findall(element.get_text())
    for element in soup.find_all(style=True):
        yield from STYLE_URL.findall(str(element["style"]))
    for element in soup.find_all("script"):
        for groups in SCRIPT_URL.findall(element.get_text()):
            yield next(url for url in groups if url)


def _is_outside(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in ("http", "https", "ftp")
