"""Let docstrings name things of these packages as their author's code does, with any module or none.

A docstring says ``InputError``, or ``neural_scaling.theory.exponents.chi`` for what the library offers as
``neural_scaling.theory.chi``; the builder knows one full name of each only.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

PACKAGES = ("neural_scaling.", "companion.")


def resolve_short_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.TextElement
) -> nodes.Element | None:
    """Resolve a name whose last part exactly one documented object of these packages has."""
    if node.get("refdomain") != "py":
        return None
    target = str(node.get("reftarget", ""))
    if "." in target and not target.startswith(PACKAGES):
        return None
    ending = "." + target.rpartition(".")[2]
    known = env.get_domain("py").objects  # type: ignore[attr-defined]
    candidates = {name for name in known if name.startswith(PACKAGES) and name.endswith(ending)}
    if len(candidates) != 1:
        return None
    full = candidates.pop()
    if full == target:
        return None
    return env.get_domain("py").resolve_xref(
        env, str(node.get("refdoc", "")), app.builder, str(node.get("reftype", "obj")), full, node, contnode
    )


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the resolver."""
    app.connect("missing-reference", resolve_short_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
