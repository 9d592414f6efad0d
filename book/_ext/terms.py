"""Show what a term means where it is used: under the pointer, at the focus of the keyboard, at a tap.

The definition is the first paragraph that the glossary gives it, put into the page behind the link; `terms.css` shows
it and `terms.js` moves it into view.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.writers.html import HTMLTranslator

#: Where a term stays a plain link: in its own definition, and where there is no room to show one.
ELSEWHERE = (addnodes.glossary, nodes.title, nodes.table)


class Definition(nodes.comment):
    """A definition behind its term; a comment, so that the search finds the glossary and not every use of a term."""


def show_definitions(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Put its definition behind every link to a term."""
    meanings = definitions(app.env)
    links = [link for link in doctree.findall(nodes.reference) if _is_term(link)]
    for number, link in enumerate(links):
        meaning = meanings.get(str(link.get("refid") or str(link.get("refuri", "")).partition("#")[2]))
        if meaning is None or any(_inside(link, kind) for kind in ELSEWHERE):
            continue
        shown = Definition("", "", *_plain(meaning), ids=[f"definition-{number}"], classes=["definition"])
        link.replace_self(nodes.inline("", "", link.deepcopy(), shown, classes=["term"]))
        if next(shown.findall(nodes.math), None) is not None:  # else the page may come without the script for formulas
            app.env.get_domain("math").data["has_equations"][page] = True


def definitions(env: BuildEnvironment) -> dict[str, nodes.paragraph]:
    """Return the first paragraph of every definition of the glossary by the anchor of its term."""
    known: dict[str, nodes.paragraph] | None = getattr(env, "_definitions_of_terms", None)
    if known is None:
        pages = sorted({page for (kind, _), (page, _) in env.get_domain("std").objects.items() if kind == "term"})
        known = {
            anchor: paragraph
            for page in pages
            for item in env.get_doctree(page).findall(nodes.definition_list_item)
            for paragraph in list(item.findall(nodes.paragraph))[:1]
            for term in item.findall(nodes.term)
            for anchor in term["ids"]
        }
        env._definitions_of_terms = known  # type: ignore[attr-defined]
    return known


def _is_term(link: nodes.reference) -> bool:
    return any("std-term" in child.get("classes", []) for child in link.children if isinstance(child, nodes.Element))


def _inside(node: nodes.Node, kind: type[nodes.Node]) -> bool:
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kind):
            return True
    return False


def _plain(paragraph: nodes.paragraph) -> Iterator[nodes.Node]:
    """Copy text and formulas; a link becomes its text, for there is no place to follow it from."""
    for child in paragraph.children:
        if isinstance(child, addnodes.pending_xref | nodes.reference):
            yield nodes.Text(child.astext())
        else:
            yield child.deepcopy()


def forget(app: Sphinx, env: BuildEnvironment) -> None:
    """Drop definitions of an earlier build."""
    env.__dict__.pop("_definitions_of_terms", None)


def visit_definition(self: HTMLTranslator, node: Definition) -> None:
    """Begin a definition."""
    self.body.append(self.starttag(node, "span", "", role="tooltip"))


def depart_definition(self: HTMLTranslator, node: Definition) -> None:
    """End a definition."""
    self.body.append("</span>")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the handlers, the style and the script."""
    app.add_node(Definition, html=(visit_definition, depart_definition))
    app.connect("env-updated", forget)
    app.connect("doctree-resolved", show_definitions)
    app.add_css_file("terms.css")
    app.add_js_file("terms.js", loading_method="defer")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
