"""Fill the page of equations from claims, errata and docstrings whenever the book is built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from companion.claims import load_ledger
from companion.equations import MARK, as_markdown

PAGE = "book/equations"


def fill(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the list in the place of its mark; ``source`` is changed in place."""
    if docname == PAGE:
        root = Path(app.srcdir)
        claims = load_ledger(root / "data" / "claims" / "ledger.json")
        source[0] = source[0].replace(MARK, as_markdown(claims, root))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the handlers: the page is read anew in every build."""
    app.connect("source-read", fill)
    app.connect("env-get-outdated", lambda app, env, added, changed, removed: [PAGE])
    return {"parallel_read_safe": True, "parallel_write_safe": True}
