"""Give cells of wide tables the heads of their columns: on a phone a row becomes a card, whose lines they name."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

#: Columns that a phone has no room for side by side.
WIDE = 4
TABLE = re.compile(r'(<table class="(?:record )?table)(">.*?</table>)', re.DOTALL)
HEAD = re.compile(r"<th\b[^>]*>(.*?)</th>", re.DOTALL)
ROW = re.compile(r"(<tr\b[^>]*>)(.*?)(?=</tr>)", re.DOTALL)
TAG = re.compile(r"<[^>]*>")


def named(body: str) -> str:
    """Return a page with its wide tables named so, and their cells with the heads of their columns."""
    return TABLE.sub(_table, body)


def _table(match: re.Match[str]) -> str:
    start, rest = match.groups()
    heads = [TAG.sub("", head).strip().replace('"', "&quot;") for head in HEAD.findall(rest)]
    if len(heads) < WIDE or any("\\" in head for head in heads):  # a formula cannot stand in an attribute
        return match[0]

    def row(found: re.Match[str]) -> str:
        names = iter(["", *heads[1:]])  # the first cell is the name of the card

        def cell(opened: re.Match[str]) -> str:
            name = next(names, "")
            return f'{opened[0]} data-head="{name}"' if name else opened[0]

        return found[1] + re.sub(r"<td\b", cell, found[2])

    return f"{start} wide{ROW.sub(row, rest)}"


def name_cells(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Name the cells of a page."""
    if "body" in context:
        context["body"] = named(context["body"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Change tables when a page is written."""
    app.connect("html-page-context", name_cells)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
