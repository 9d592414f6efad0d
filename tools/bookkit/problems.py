"""Errors meant for the person at the terminal: what is wrong, what would be valid, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class Problem(Exception):
    """Something the user or author can put right; shown without a traceback."""


def refuse(wrong: Sequence[str], *remedy: str) -> None:
    """Raise the problem of all that is wrong, a line each and what to do, if anything is."""
    if wrong:
        raise Problem("\n".join([*wrong, *remedy]))


def unknown(kind: str, name: str, valid: Iterable[str], remedy: str) -> Problem:
    """Return the problem of a name that is not among the valid ones."""
    names = sorted(valid)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listed = ", ".join(names) if names else "there are none yet"
    return Problem(f"unknown {kind} {name!r}.{hint} Valid: {listed}. {remedy}")
