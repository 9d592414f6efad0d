"""Figures as readers meet them: sharp, in the colours of the light or the dark page, panels stacked on a phone, data below.

The figures of notebooks are SVG whose metadata hold their curves, the boxes of their panels and what in them cannot be read
(``companion.style``). The last is a warning, as which the build fails.
"""

from __future__ import annotations

import base64
import colorsys
import csv
import html
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util import logging

from companion.legible import ON_PICTURE
from companion.light import lighter

LOGGER = logging.getLogger(__name__)
FOLDER = "_figures"
METADATA = re.compile(r'<metadata id="figure">(.*?)</metadata>\n?', re.DOTALL)
FIGURE = re.compile(r'<figure\b[^>]*\bid="(?P<id>[^"]*)"[^>]*>')
PICTURE = re.compile(r'(?:<a\b[^>]*>\s*)?(?P<picture><img\b[^>]*\bsrc="[^"]*\.svg"[^>]*>)(?:\s*</a>)?')
COLOUR = re.compile(r"#[0-9a-f]{6}\b")
#: The ground of the dark theme, which takes the place of white.
DARK = "#121212"


def dark(colour: str) -> str:
    """Return what stands for a colour on a dark ground: light becomes dark and dark light, the hue stays."""
    if colour == "#ffffff":
        return DARK
    if colour in ON_PICTURE:
        return colour
    hue, lightness, saturation = colorsys.rgb_to_hls(*(int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)))
    # Blue and red are darker to the eye than their lightness says, so that only what was near white gets dark.
    turned = 1 - lightness if lightness > 0.8 else max(0.62, 0.92 - 0.5 * lightness)
    rgb = colorsys.hls_to_rgb(hue, turned, saturation)
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


def darkened(svg: str) -> str:
    """Return a figure for the dark page."""
    turned = COLOUR.sub(lambda match: dark(match[0]), svg)
    return turned.replace("<svg ", f'<svg fill="{dark("#000000")}" ', 1)  # black is what has no colour


def as_csv(curves: list[dict[str, Any]]) -> str:
    """Return curves as a table with a row for each point."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("panel", "curve", "x", "y"))
    for curve in curves:
        writer.writerows((curve["panel"], curve["curve"], x, y) for x, y in zip(curve["x"], curve["y"], strict=True))
    return text.getvalue()


def write(folder: Path, name: str, svg: str) -> dict[str, Any]:
    """Write a figure, its dark twin and its data into a folder; return its metadata."""
    found = METADATA.search(svg)
    about: dict[str, Any] = (
        json.loads(html.unescape(found[1])) if found else {"panels": [], "curves": [], "clashes": [], "thumbnail": ""}
    )
    plain = lighter(svg)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.svg").write_text(plain, "utf-8")
    (folder / f"{name}-dark.svg").write_text(darkened(plain), "utf-8")
    (folder / f"{name}.png").write_bytes(base64.b64decode(about["thumbnail"]))
    if about["curves"]:
        (folder / f"{name}.csv").write_text(as_csv(about["curves"]), "utf-8")
        names = [f"{k} {curve['panel']}: {curve['curve']}".replace("/", "|") for k, curve in enumerate(about["curves"])]
        arrays = (np.array([curve["x"], curve["y"]]) for curve in about["curves"])
        np.savez_compressed(folder / f"{name}.npz", **dict(zip(names, arrays, strict=True)))
    return about


def shown(base: str, about: dict[str, Any], alt: str, size: tuple[float, float]) -> str:
    """Return the HTML of a figure: whole, and as a stack of panels for narrow screens; below it what can be downloaded."""
    alternative = html.escape(alt)

    def image(ending: str, which: str, style: str = "") -> str:
        return f'<img class="{which}" src="{base}{ending}.svg" alt="{alternative}" loading="lazy"{style}>'

    def both(style: str = "") -> str:
        return image("", "only-light", style) + image("-dark", "only-dark", style)

    width, height = size
    stack = ""
    for x, y, wide, high in about["panels"] or [[0, 0, width, height]]:
        place = f"width:{width / wide:.2%};left:{-x / wide:.2%};top:{-y / high:.2%}"
        # A narrow or low part, as a bar of colours or a legend, is not blown up to the width of the page.
        most = 0.8 if wide < width / 4 else 1.0 if high < 60 else 1.6
        box = f"aspect-ratio:{wide}/{high};max-width:{most * wide:.0f}px"
        stack += f'<div class="panel"><div style="{box}">' + both(f' style="{place}"') + "</div></div>"
    files = [("figure", ".svg")] + ([("CSV", ".csv"), ("NPZ", ".npz")] if about["curves"] else [])
    links = " · ".join(f'<a download href="{base}{ending}">{label}</a>' for label, ending in files)
    return (
        f'<div class="book-figure"><button type="button" class="whole" aria-label="Enlarge: {alternative}">{both()}</button>'
        f'<div class="stack">{stack}</div><p class="files">{links}</p></div>'
    )


def page_context(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Put the figures of notebooks in place of the plain images."""
    body = context.get("body", "")
    if "_images/" not in body:
        return
    sources = {name: source for source, name in app.builder.images.items()}
    seen = 0

    def replaced(match: re.Match[str]) -> str:
        nonlocal seen
        picture = BeautifulSoup(match["picture"], "html.parser").img
        assert picture is not None
        source = Path(app.srcdir, sources.get(str(picture["src"]).rpartition("/")[2], ""))
        svg = source.read_text("utf-8") if source.is_file() else ""
        if not METADATA.search(svg):
            return match[0]
        seen += 1
        opened = list(FIGURE.finditer(body, 0, match.start()))  # figures do not lie in each other
        label = opened[-1]["id"] if opened and "</figure>" not in body[opened[-1].end() : match.start()] else str(seen)
        name = f"{page.rpartition('/')[2]}-{label}"
        about = write(Path(app.outdir, FOLDER), name, svg)
        for clash in about["clashes"]:
            LOGGER.warning("%s: in the figure %s, %s", page, label, clash)
        size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
        assert size is not None, f"{page}: a figure without a size"
        base = "../" * page.count("/") + f"{FOLDER}/{name}"
        return shown(base, about, str(picture.get("alt", "")), (float(size[1]), float(size[2])))

    context["body"] = PICTURE.sub(replaced, body)


def setup(app: Sphinx) -> dict[str, Any]:
    """Replace figures when a page is written."""
    app.connect("html-page-context", page_context)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
