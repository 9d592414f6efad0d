"""One way to refuse bad input: name the argument, say what is wrong with it and what to do."""

from __future__ import annotations

import math
from numbers import Real


class InputError(ValueError):
    """An argument is out of range, has the wrong shape or cannot be used; the message says what to change."""


def require(condition: bool, argument: str, problem: str, remedy: str) -> None:
    """Raise :class:`InputError` naming ``argument`` unless ``condition`` holds.

    Parameters
    ----------
    condition
        What must be true.
    argument
        Name of the argument as the caller wrote it.
    problem
        What is wrong, with the offending value.
    remedy
        What the caller should do instead.

    Raises
    ------
    InputError
        If ``condition`` is false.
    """
    if not condition:
        raise InputError(f"{argument}: {problem}; {remedy}.")


def require_positive(value: float, argument: str, remedy: str = "give a positive finite number") -> None:
    """Raise :class:`InputError` unless ``value`` is a positive finite real number."""
    ok = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value) and value > 0
    require(ok, argument, f"got {value!r}", remedy)
