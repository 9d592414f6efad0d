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
    """One claim and what came of it."""

    id: str  # unique within a scale: lower case words joined by dots and hyphens
    item: str  # notebook that records it
    location: str  # place in the paper, such as eq. 10 or Table 1, hard rich (arXiv v1 numbering)
    statement: str  # the claim in our words
    quantity: str  # what the numbers are, with units
    # predicted, measured: numbers, or None where there is none
    predicted: float | None
    measured: float | None
    # 95 % interval of the measurement, or the extremes seen where nothing is random
    interval: tuple[float, float] | None
    window: tuple[float, float] | None  # first and last abscissa of a fit, in the units that quantity names
    scale: str  # small, reduced or full
    # confirmed, not confirmed, corrected (the printed statement fails and a stated correction holds) or
    # inconclusive
    verdict: Verdict
    reason: str  # why
    predicted_text: str = ""  # the prediction as words or a formula; shown instead of the number if there is no number

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
