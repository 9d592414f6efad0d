"""The one rule that turns a prediction and a measurement into a verdict."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from companion.claims.claim import Verdict, found
from companion.claims.words import number
from neural_scaling.base.checks import real, require, require_positive


class Judgement(NamedTuple):
    """Verdict and the reason for it."""

    verdict: Verdict
    reason: str


def judge(
    predicted: float,
    measured: float | None,
    interval: tuple[float, float] | None,
    tolerance: float,
    corrected: float | None = None,
) -> Judgement:
    """Turn numbers into a verdict.

    * *not confirmed*: the whole interval lies farther than ``tolerance`` from the prediction;
    * *confirmed*: the measurement lies within ``tolerance`` of the prediction and its interval is not wider
      than the tolerance either way;
    * *inconclusive*: anything else, a missing measurement included;
    * *corrected*: a prediction that is not confirmed while ``corrected`` is, by the same rule.
    """
    predicted, tolerance = real(predicted, "predicted"), require_positive(tolerance, "tolerance")
    corrected = None if corrected is None else real(corrected, "corrected")
    if corrected is not None and abs(corrected - predicted) <= 1e-9:
        corrected = None
    measured = None if measured is None else found(measured, "measured")
    interval = None if interval is None else ends(interval)
    if measured is None or interval is None or not all(map(math.isfinite, (measured, *interval))):
        return Judgement("inconclusive", "no measurement with a finite interval")
    low, high = interval
    slack = 1e-9 * (1.0 + abs(measured))
    require(
        low - slack <= measured <= high + slack,
        "interval",
        f"({low:g}, {high:g}) does not hold the measured value {measured:g}",
        "give (low, high) around the measurement",
    )
    printed = _compare(predicted, measured, interval, tolerance)
    reason = _reason(printed, predicted, interval, tolerance)
    if printed == "not confirmed" and corrected is not None:
        if _compare(corrected, measured, interval, tolerance) == "confirmed":
            return Judgement("corrected", f"{reason}; the corrected {number(corrected, 3)} holds")
        return Judgement(printed, f"{reason}; nor does the corrected {number(corrected, 3)} hold")
    return Judgement(printed, reason)


def ends(interval: tuple[float, float]) -> tuple[float, float]:
    """Return both ends of a measured interval; NaN and infinity may be among them."""
    remedy = "give (low, high) around the measurement"
    require(
        isinstance(interval, tuple | list | np.ndarray) and len(interval) == 2, "interval", f"got {interval!r}", remedy
    )
    low, high = (found(end, "interval") for end in interval)
    require(not low > high, "interval", f"got ({low:g}, {high:g})", remedy)
    return low, high


def _compare(predicted: float, measured: float, interval: tuple[float, float], tolerance: float) -> Verdict:
    low, high = interval
    allowed = tolerance * (1 + 1e-9)
    if low > predicted + allowed or high < predicted - allowed:
        return "not confirmed"
    narrow = max(high - measured, measured - low) <= allowed
    return "confirmed" if narrow and abs(measured - predicted) <= allowed else "inconclusive"


def _reason(verdict: Verdict, predicted: float, interval: tuple[float, float], tolerance: float) -> str:
    low, high = (number(end, 3) for end in interval)
    seen = low if low == high else f"[{low}, {high}]"
    band = f"{number(predicted, 3)} within {tolerance:g}"
    match verdict:
        case "confirmed":
            return f"{seen} agrees with {band}"
        case "not confirmed":
            return f"{seen} excludes {band}"
        case _:
            return f"{seen} neither agrees with nor excludes {band}"
