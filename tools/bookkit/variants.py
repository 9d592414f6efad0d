"""The full-scale or reduced version of a notebook beside the small-scale one: labels and title must not collide.

Both versions come from one source and stand in one book, where a label may be defined once.
"""

from __future__ import annotations

import re

from nbformat import NotebookNode

# Where MyST defines a label: `(x)=` on a line of its own, `$$ ... $$ (x)`, and the options of a directive.
DEFINITIONS = (
    re.compile(r"^\(([^()\s]+)\)=\s*$", re.MULTILINE),
    re.compile(r"\$\$[ \t]*\(([^()\s]+)\)[ \t]*$", re.MULTILINE),
    re.compile(r"^[ \t]*:(?:label|name):[ \t]*(\S+)[ \t]*$", re.MULTILINE),
)
# Where MyST refers to one: a role with an optional text, `[text](#x)` and `[](x)`.
ROLE = re.compile(r"(\{(?:numref|ref|eq|prf:ref)\}`)([^`]*)(`)")
ROLE_TARGET = re.compile(r"^(.*<)?([^<>]*?)(>)?$", re.DOTALL)
LINK = re.compile(r"(\]\(#?)([^()\s]+)(\))")
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)


def labels(notebook: NotebookNode) -> set[str]:
    """Return all labels that a notebook defines, in its text and as figure names in cell metadata."""
    found: set[str] = set()
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            found.update(label for pattern in DEFINITIONS for label in pattern.findall(cell.source))
        name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        if name:
            found.add(name)
    return found


def with_suffix(notebook: NotebookNode, suffix: str, title: str) -> NotebookNode:
    """Give every label a notebook defines, and every reference to one of them, a suffix; say the scale in the title.

    References to labels of other pages stay as they are.
    """
    own = labels(notebook)
    titled = False
    for cell in notebook.cells:
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        if figure.get("name"):
            figure["name"] = f"{figure['name']}-{suffix}"
        if figure.get("caption"):
            figure["caption"] = _rewritten(figure["caption"], own, suffix)
        if cell.cell_type != "markdown":
            continue
        cell.source = _rewritten(cell.source, own, suffix)
        if not titled and TITLE.search(cell.source):
            cell.source = TITLE.sub(rf"# \1 ({title})", cell.source, count=1)
            titled = True
    return notebook


def _rewritten(text: str, own: set[str], suffix: str) -> str:
    def renamed(label: str) -> str:
        return f"{label}-{suffix}" if label in own else label

    def in_definition(match: re.Match[str]) -> str:
        start, end = match.start(1) - match.start(), match.end(1) - match.start()
        return match[0][:start] + renamed(match[1]) + match[0][end:]

    def in_role(match: re.Match[str]) -> str:
        target = ROLE_TARGET.match(match[2])
        if target is None:
            return match[0]
        return f"{match[1]}{target[1] or ''}{renamed(target[2])}{target[3] or ''}{match[3]}"

    for pattern in DEFINITIONS:
        text = pattern.sub(in_definition, text)
    text = ROLE.sub(in_role, text)
    return LINK.sub(lambda match: f"{match[1]}{renamed(match[2])}{match[3]}", text)
