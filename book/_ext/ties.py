"""Keep a full stop or comma beside the formula it follows: browsers break the line between the two."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

MARKS = re.compile(r"[.,;:)]+")
#: A formula with more letters of LaTeX may be wider than a phone, and has to scroll by itself.
LONGEST = 40


def tie(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put short formulas into one piece with the marks that follow them."""
    for formula in list(doctree.findall(nodes.math)):
        parent = formula.parent
        follows = formula.next_node(descend=False, siblings=True)
        if not isinstance(follows, nodes.Text) or len(formula.astext()) > LONGEST:
            continue
        marks = MARKS.match(follows)
        if marks:
            place = parent.index(formula)
            piece = nodes.inline("", "", formula, nodes.Text(marks[0]), classes=["tie"])
            parent[place : place + 2] = [piece, nodes.Text(follows[marks.end() :])]


def setup(app: Sphinx) -> dict[str, Any]:
    """Change paragraphs when a page is written."""
    app.connect("doctree-resolved", tie)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
