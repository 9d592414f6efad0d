"""Put the ledger of claims beside the built pages: as it is, with its schema, and as a table."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from companion.claims import load_ledger, to_table
from companion.tables import Table


def write_files(app: Sphinx, problem: Exception | None) -> None:
    """Write the files that the page of all claims offers."""
    if problem is not None or app.builder.format != "html":
        return
    source, target = Path(app.srcdir) / "data" / "claims", Path(app.outdir) / "_downloads" / "claims"
    target.mkdir(parents=True, exist_ok=True)
    for name in ("ledger.json", "schema.json"):
        shutil.copyfile(source / name, target / name)
    (target / "ledger.csv").write_text(Table(to_table(load_ledger(source / "ledger.json"))).csv(), "utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the handler that runs after every build."""
    app.connect("build-finished", write_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
