"""Say in one line what to run first where the builder is called before the notebooks have been executed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    """Stop a build that would lack its first page."""
    if not (Path(app.srcdir) / "book" / "pages").is_dir():
        raise SystemExit(
            "error: no notebook has been executed yet. Run `nox -s book`, which executes them and builds the book."
        )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
