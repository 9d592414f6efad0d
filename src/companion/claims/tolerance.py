"""The one rule for how far a number may lie from its prediction."""

from __future__ import annotations

from typing import NamedTuple

from companion.claims.claim import Kind
from neural_scaling.base import checks

#: Share of a predicted exponent that is allowed, by what the measurement rests on. A tenth tells lazy from rich for sources up to
#: 0.8, a twentieth up to 0.9; nearer to 1 their difference is a claim of its own.
SHARE: dict[Kind, float] = {"algebra": 0.005, "theory": 0.05, "simulation": 0.1, "network": 0.1}
#: Least distance that is allowed, for exponents near 0.
LEAST: dict[Kind, float] = {"algebra": 0.002, "theory": 0.02, "simulation": 0.02, "network": 0.02}


class Tolerance(NamedTuple):
    """A distance from the prediction, and why it is allowed."""

    value: float
    reason: str


def of_exponent(predicted: float, kind: Kind, corrected: float | None = None) -> Tolerance:
    """Return the tolerance of an exponent: a share of it, or of its correction if smaller, that depends on what was measured."""
    given = [checks.real(predicted, "predicted"), *([] if corrected is None else [checks.real(corrected, "corrected")])]
    share, least = SHARE[checks.choice(kind, "kind", SHARE)], LEAST[kind]
    value = max(share * min(map(abs, given)), least)
    return Tolerance(value, f"exponents, {kind}: {100 * share:g} %, at least {least:g}")
