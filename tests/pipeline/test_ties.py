"""A formula and the mark after it stay on one line."""

import importlib.util
from pathlib import Path

import pytest
from docutils import nodes
from docutils.core import publish_doctree

PATH = Path(__file__).resolve().parents[2] / "book" / "_ext" / "ties.py"


@pytest.fixture(scope="module")
def ties():
    spec = importlib.util.spec_from_file_location("ties", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Let :math:`t`, then :math:`s <  t`.) Both.", ["t,", "s <  t.)"]),
        ("Let :math:`t` be, (:math:`s`)", ["s)"]),
        ("Alone :math:`t`", []),
        (f"Wide :math:`{'x + ' * 12}x`.", []),
    ],
)
def test_marks_stay_with_short_formulas(ties, text, pieces):
    doctree = publish_doctree(text)
    before = doctree.astext()
    ties.tie(None, doctree, "page")
    assert [piece.astext() for piece in doctree.findall(nodes.inline) if "tie" in piece["classes"]] == pieces
    assert doctree.astext() == before
