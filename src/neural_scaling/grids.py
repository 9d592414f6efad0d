"""Time grids on which curves are recorded."""

from __future__ import annotations

import math

import numpy as np
from scipy.interpolate import CubicSpline

from neural_scaling.checks import require
from neural_scaling.spectra import Array


def log_spaced_steps(steps: int, per_decade: int = 40) -> Array:
    """Return 0 and about ``per_decade`` whole steps a decade up to ``steps``, each once.

    Parameters
    ----------
    steps
        Last step, at least 1.
    per_decade
        Density; near the start every whole step is taken.

    Returns
    -------
    Array
        Ascending whole numbers, shape (R,), in steps.

    Raises
    ------
    InputError
        If ``steps`` is below 1.
    """
    require(steps >= 1, "steps", f"got {steps!r}", "give a whole number of at least 1")
    count = max(2, math.ceil(per_decade * math.log10(max(steps, 2))))
    return np.unique(np.concatenate([[0.0], np.round(np.geomspace(1, steps, count))]))


def resampled(step: Array, value: Array, at: Array) -> Array:
    """Interpolate a smooth positive curve by a cubic spline in log-log.

    Curves of the theory at late times have about six points a decade, between which a straight line in log-log is off by a
    per cent; a spline is not.

    Parameters
    ----------
    step, value
        The curve, positive and ascending in ``step``, shape (R,).
    at
        Positive places inside the curve, any shape.

    Returns
    -------
    Array
        Values at ``at``.

    Raises
    ------
    InputError
        If the curve is not positive or a place lies outside it.
    """
    positive = bool(np.all(step > 0) and np.all(value > 0))
    require(positive, "value", "the curve is not positive", "drop step 0 and what is not positive")
    slack = 1e-9
    inside = bool(np.all(at >= step[0] * (1 - slack)) and np.all(at <= step[-1] * (1 + slack)))
    require(inside, "at", "lies outside the curve", f"stay between {step[0]:g} and {step[-1]:g}")
    return np.asarray(np.exp(CubicSpline(np.log(step), np.log(value))(np.log(at))))
