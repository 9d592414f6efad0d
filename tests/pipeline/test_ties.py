"""A formula and the mark after it stay on one line."""

import pytest
import ties
from docutils import nodes
from docutils.core import publish_doctree


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Let :math:`t`, then :math:`s <  t`.) Both.", ["t,", "s <  t.)"]),
        ("Let :math:`t` be, (:math:`s`)", ["s)"]),
        ("Alone :math:`t`", []),
        (f"Wide :math:`{'x + ' * 12}x`.", []),
    ],
)
def test_marks_stay_with_short_formulas(text, pieces):
    doctree = publish_doctree(text)
    before = doctree.astext()
    ties.tie(None, doctree, "page")
    assert [piece.astext() for piece in doctree.findall(nodes.inline) if "tie" in piece["classes"]] == pieces
    assert doctree.astext() == before
