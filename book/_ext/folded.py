"""Make the pages of the library lists of names with one line each, of which each opens to the whole entry.

A name's line is the first paragraph of its docstring, which then does not stand in the entry as well. What a module says beyond
its first paragraph opens likewise. A link to something folded opens it: browsers do that by themselves.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

#: Functions are what one looks for first.
_ORDER = ("function", "class", "data", "exception")
#: A constant shows its value if it is not longer than this; tables of data do not.
_LONGEST_VALUE = 40


class Fold(nodes.General, nodes.Element):
    """What opens; its first child is the line that is always seen."""


class FoldLine(nodes.General, nodes.Element):
    """The line that is always seen."""


def _open_fold(self: HTML5Translator, node: Fold) -> None:
    self.body.append(self.starttag(node, "details"))


def _close_fold(self: HTML5Translator, node: Fold) -> None:
    self.body.append("</details>\n")


def _open_line(self: HTML5Translator, node: FoldLine) -> None:
    self.body.append("<summary>")


def _close_line(self: HTML5Translator, node: FoldLine) -> None:
    self.body.append("</summary>\n")


def fold(app: Sphinx, doctree: nodes.document) -> None:
    """Fold entries and the long text of modules."""
    for entry in list(doctree.findall(addnodes.desc)):
        if entry["domain"] != "py" or not isinstance(entry.parent, nodes.section):
            continue
        for value in entry.findall(addnodes.desc_annotation):
            if value.astext().startswith(" =") and len(value.astext()) > _LONGEST_VALUE:
                value.parent.remove(value)
        content = next(child for child in entry if isinstance(child, addnodes.desc_content))
        name = nodes.literal(text=next(entry.findall(addnodes.desc_name)).astext())
        line = FoldLine("", name)
        if len(content) and isinstance(content[0], nodes.paragraph):
            said = nodes.inline(classes=["said"])
            said += _without_links(content[0])
            line += said
            content.remove(content[0])
        entry.parent.replace(entry, Fold("", line, entry, classes=["entry"]))
    for start in list(doctree.findall(addnodes.index)):
        if _begins_module(start) and isinstance(start.parent, nodes.section):
            _fold_text(start)
            _sort(start)


def _begins_module(node: nodes.Node) -> bool:
    return isinstance(node, addnodes.index) and any(entry[2].startswith("module-") for entry in node["entries"])


def _of_module(start: addnodes.index) -> list[nodes.Node]:
    """Return what follows on the mark of a module, up to the next."""
    found: list[nodes.Node] = []
    for child in start.parent[start.parent.index(start) + 1 :]:
        if isinstance(child, nodes.section) or _begins_module(child):
            break
        found.append(child)
    return found


def _sort(start: addnodes.index) -> None:
    """Put functions first among the entries of a module."""
    entries = [child for child in _of_module(start) if isinstance(child, Fold) and "entry" in child["classes"]]
    places = [start.parent.index(entry) for entry in entries]
    entries.sort(key=lambda entry: _ORDER.index(entry[1]["objtype"]))
    for place, entry in zip(places, entries, strict=True):
        start.parent[place] = entry


def _fold_text(start: addnodes.index) -> None:
    """Fold what a module says after its first paragraph."""
    section = start.parent
    text = [child for child in _of_module(start) if not isinstance(child, Fold | addnodes.index | nodes.target)]
    if len(text) > 1:
        for child in text[1:]:
            section.remove(child)
        line = FoldLine("", nodes.Text("More on this module"))
        section.insert(section.index(text[0]) + 1, Fold("", line, *text[1:], classes=["more"]))


def _without_links(paragraph: nodes.paragraph) -> list[nodes.Node]:
    """Return what a paragraph says; a link inside of what opens would make two things of one tap."""
    copy = paragraph.deepcopy()
    for kind in (addnodes.pending_xref, nodes.reference):
        for link in list(copy.findall(kind)):
            link.parent.replace(link, link.children)
    return list(copy.children)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the two kinds of nodes and the handler that makes them."""
    for kind, *handlers in ((Fold, _open_fold, _close_fold), (FoldLine, _open_line, _close_line)):
        app.add_node(kind, html=tuple(handlers), latex=(_nothing, _nothing), text=(_nothing, _nothing))
    app.connect("doctree-read", fold)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _nothing(self: Any, node: nodes.Element) -> None:
    """Show the children alone."""
