"""Link the repository of the book wherever a page speaks of it, if `pyproject.toml` has an address; else only name it.

The address stands in one place, `Repository` under `[project.urls]`. A page writes ``{{ repository }}``, and every page has
a button in its head.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config


def address(root: Path) -> str:
    """Return the address of the repository, empty where none is set."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    return str(project.get("urls", {}).get("Repository", ""))


def use_address(app: Sphinx, config: Config) -> None:
    """Give the text of pages the address."""
    found = address(Path(app.srcdir))
    named = {"repository": f"[the repository]({found})" if found else "the repository"}
    config["myst_substitutions"] = {**config["myst_substitutions"], **named}


def add_button(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Add the button; that of the theme knows three hosts only."""
    if (found := address(Path(app.srcdir))) and "header_buttons" in context:
        named = {"text": "", "tooltip": "Source repository", "label": "source-repository-button"}
        context["header_buttons"].append({"type": "link", "url": found, "icon": "fas fa-code-branch", **named})


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the handlers, the second after those of the theme."""
    app.connect("config-inited", use_address)
    app.connect("html-page-context", add_button, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
