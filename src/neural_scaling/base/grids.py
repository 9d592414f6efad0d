"""Time grids on which curves are recorded."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicSpline

from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import array, whole

__all__ = ["log_spaced_steps", "resampled"]


def log_spaced_steps(steps: int, per_decade: int = 40) -> Array:
    """Return 0 and about ``per_decade`` whole steps a decade up to ``steps``, each once; near the start every step is taken."""
    steps = whole(steps, "steps")
    count = max(2, math.ceil(whole(per_decade, "per_decade") * math.log10(max(steps, 2))))
    return np.unique(np.concatenate([[0.0], np.round(np.geomspace(1, steps, count))]))


def resampled(step: ArrayLike, value: ArrayLike, at: ArrayLike) -> Array:
    """Interpolate a smooth positive curve, ascending in ``step``, by a cubic spline in log-log at positive places inside it.

    The theory has about six points a decade at late times, between which a straight line in log-log is off by a per cent.
    """
    step = array(step, "step", above=0.0, fewest=2, order="rising")
    value = array(value, "value", above=0.0, shape=step.shape)
    slack = 1e-9
    at = array(at, "at", axes=None, least=step[0] * (1 - slack), most=step[-1] * (1 + slack))
    return np.asarray(np.exp(CubicSpline(np.log(step), np.log(value))(np.log(at))))
