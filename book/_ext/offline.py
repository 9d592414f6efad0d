"""Keep the pages free of scripts that would ask another host when used.

The theme comes with a button for running code on a server. It is not offered here, but its script and the address of
that server would stand in every page.
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

UNUSED = "thebe"


def drop_unused_scripts(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object
) -> None:
    """Take the scripts of the unused button out of a page."""
    context["script_files"] = [script for script in context["script_files"] if not _is_unused(script)]
    context["css_files"] = [style for style in context["css_files"] if not _is_unused(style)]


def _is_unused(script: Any) -> bool:
    body = str(getattr(script, "attributes", {}).get("body") or "")
    return UNUSED in str(getattr(script, "filename", script)).lower() or UNUSED in body.lower()


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the handler after those that add scripts."""
    app.connect("html-page-context", drop_unused_scripts, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
