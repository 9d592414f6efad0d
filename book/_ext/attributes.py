"""Show ``low, high`` in the attributes of a class as two attributes, as the builder does for parameters."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

SEVERAL = re.compile(r"^:ivar (\w+(?:, \w+)+):(.*)$")


def split_attributes(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Repeat the description of several attributes for each; ``lines`` is changed in place."""
    done: list[str] = []
    position = 0
    while position < len(lines):
        match = SEVERAL.match(lines[position])
        end = position + 1
        if match is None:
            done.append(lines[position])
        else:
            while end < len(lines) and lines[end].startswith(" "):
                end += 1
            for attribute in match[1].split(", "):
                done += [f":ivar {attribute}:{match[2]}", *lines[position + 1 : end]]
        position = end
    lines[:] = done


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the handler after the one that translates the sections of a docstring."""
    app.connect("autodoc-process-docstring", split_attributes, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
