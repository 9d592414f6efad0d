"""Link the repository of the book wherever a page speaks of it, if `pyproject.toml` has an address; else only name it.

The address stands in one place, `Repository` under `[project.urls]`. A page writes ``{{ repository }}``.
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
    """Give pages and theme the address."""
    found = address(Path(app.srcdir))
    # The configuration of the user, which may have more, stays as it is.
    named = {"repository": f"[the repository]({found})" if found else "the repository"}
    config["myst_substitutions"] = {**config["myst_substitutions"], **named}
    if found:
        config["html_theme_options"] |= {"repository_url": found, "use_repository_button": True}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the handler."""
    app.connect("config-inited", use_address)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
