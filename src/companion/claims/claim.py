"""A claim of the paper as an object."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from neural_scaling.base import checks
from neural_scaling.base.paths import SCALES

Verdict = Literal["confirmed", "not confirmed", "corrected", "inconclusive"]


@dataclass(frozen=True)
class Claim:
    """One claim and what came of it.

    Attributes
    ----------
    id
        Unique within a scale: lower case words joined by dots and hyphens.
    item
        Notebook that records it.
    location
        Place in the paper, such as ``eq. 10`` or ``Table 1, hard rich`` (arXiv v1 numbering).
    statement
        The claim in our words.
    quantity
        What the numbers are, with units.
    predicted, measured
        Numbers, or None where there is none.
    interval
        95 % interval of the measurement, or the extremes seen where nothing is random.
    window
        First and last abscissa of a fit, in the units that ``quantity`` names.
    scale
        ``small``, ``reduced`` or ``full``.
    verdict
        ``confirmed``, ``not confirmed``, ``corrected`` (the printed statement fails and a stated correction
        holds) or ``inconclusive``.
    reason
        Why.
    predicted_text
        The prediction as words or a formula; shown instead of the number if there is no number.

    Raises
    ------
    InputError
        If a field is of another type, or a number is not finite.
    """

    id: str
    item: str
    location: str
    statement: str
    quantity: str
    predicted: float | None
    measured: float | None
    interval: tuple[float, float] | None
    window: tuple[float, float] | None
    scale: str
    verdict: Verdict
    reason: str
    predicted_text: str = ""

    def __post_init__(self) -> None:
        for name in ("id", "item", "location", "statement", "quantity", "reason", "predicted_text"):
            checks.text(getattr(self, name), name)
        for name in ("predicted", "measured"):
            if getattr(self, name) is not None:
                checks.keep(self, **{name: checks.real(getattr(self, name), name)})
        for name in ("interval", "window"):
            if getattr(self, name) is not None:
                checks.keep(self, **{name: pair(getattr(self, name), name)})
        checks.choice(self.scale, "scale", SCALES)
        checks.choice(self.verdict, "verdict", get_args(Verdict))


def pair(values: tuple[float, float], argument: str) -> tuple[float, float]:
    """Return the ends of an interval, lower first."""
    low, high = checks.array(values, argument, shape=(2,), order="ascending").tolist()
    return low, high


def found(value: float, argument: str) -> float:
    """Return a measured number, NaN and infinity included: what came out of a computation that failed is no bad input."""
    if isinstance(value, float | np.floating) and not math.isfinite(value):
        return float(value)
    return checks.real(value, argument)
