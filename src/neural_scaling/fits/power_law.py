"""Power-law fits whose uncertainty also covers the departure from a power law."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neural_scaling.checks import require

FloatArray = NDArray[np.float64]

NORMAL_95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True)
class PowerLawFit:
    """Fit of ``L = prefactor * t^-exponent`` in a window.

    Attributes
    ----------
    exponent
        Decay exponent (positive for a falling curve).
    prefactor
        Value of the fitted law at t = 1, in the units of L.
    statistical_error
        Standard error of the exponent from the errors of the points; 0 when none were given.
    curvature
        Half the difference between the exponents fitted to the two halves (in log t) of the window, with
        the part that noise alone would produce removed in quadrature. It is what is left of a
        deterministic curve's departure from a power law.
    standard_error
        ``hypot(statistical_error, curvature)``: the curvature is counted as one standard error.
    interval
        95 % interval, ``exponent -+ 1.96 standard_error``.
    window
        First and last abscissa asked for, in the units of t.
    points
        Number of samples used.
    """

    exponent: float
    prefactor: float
    statistical_error: float
    curvature: float
    standard_error: float
    interval: tuple[float, float]
    window: tuple[float, float]
    points: int


@dataclass(frozen=True)
class LocalSlope:
    """Local decay exponent along a curve.

    Attributes
    ----------
    t
        Shape (P,), geometric centres of the averaging intervals, in the units of t.
    exponent
        Shape (P,), ``-d ln L / d ln t`` averaged over an interval.
    """

    t: FloatArray
    exponent: FloatArray


def fit_power_law(
    t: ArrayLike,
    L: ArrayLike,
    window: tuple[float, float] | None = None,
    sigma: ArrayLike | None = None,
    points: int = 64,
) -> PowerLawFit:
    """Fit a power law by least squares in log-log on samples spaced evenly in log t.

    The samples are points of the curve (nearest ones, none repeated), not interpolations.

    Parameters
    ----------
    t
        Increasing positive abscissae, shape (T,); the unit (steps or eta*steps) is the caller's.
    L
        Positive values, shape (T,).
    window
        First and last t, both included; the whole curve by default.
    sigma
        Standard errors of L, shape (T,), positive and independent from point to point. They weight the fit
        and give the statistical error. Points of one learning curve share their noise: fit each run and
        use the spread over runs instead.
    points
        Largest number of samples, >= 3.

    Returns
    -------
    PowerLawFit
        Exponent, uncertainty and window.

    Raises
    ------
    InputError
        If values are not positive and finite, t does not increase, shapes differ, or fewer than three
        samples fall into the window.
    """
    time, value = check_curve(t, L)
    error: FloatArray | None = None
    if sigma is not None:
        error = np.asarray(sigma, dtype=np.float64)
        require(error.shape == time.shape, "sigma", f"has shape {error.shape}", f"give shape {time.shape}")
        good = bool(np.all(np.isfinite(error)) and np.all(error > 0))
        require(good, "sigma", "holds a value that is not positive and finite", "drop points without error")
    require(points >= 3, "points", f"got {points}", "use at least 3 samples")
    first, last = (float(time[0]), float(time[-1])) if window is None else window
    require(0 < first < last, "window", f"got {window!r}", "give (start, end) with 0 < start < end")
    chosen = log_spaced_indices(time, first, last, points)
    require(
        chosen.size >= 3,
        "window",
        f"({first:g}, {last:g}) holds {chosen.size} of the samples",
        "widen it or sample the curve more finely: a fit needs three",
    )
    x, y = np.log(time[chosen]), np.log(value[chosen])
    weight = np.ones_like(x) if error is None else (value[chosen] / error[chosen]) ** 2
    slope, intercept, variance = _weighted_line(x, y, weight)
    statistical = 0.0 if error is None else math.sqrt(variance)
    curvature = _curvature(x, y, weight, noisy=error is not None)
    standard_error = math.hypot(statistical, curvature)
    half_width = NORMAL_95 * standard_error
    return PowerLawFit(
        exponent=-slope,
        prefactor=math.exp(intercept) if intercept < 700 else math.inf,
        statistical_error=statistical,
        curvature=curvature,
        standard_error=standard_error,
        interval=(-slope - half_width, -slope + half_width),
        window=(first, last),
        points=int(chosen.size),
    )


def local_slope(t: ArrayLike, L: ArrayLike, width: float = 0.3, points: int = 200) -> LocalSlope:
    """Local exponent by straight lines in log-log over intervals of a fixed width: a picture, not a fit.

    Parameters
    ----------
    t
        Increasing positive abscissae, shape (T,).
    L
        Positive values, shape (T,).
    width
        Width of the interval, decades.
    points
        Largest number of centres, spaced evenly in log t.

    Returns
    -------
    LocalSlope
        Curve over the centres whose interval lies inside the data and holds at least three points.

    Raises
    ------
    InputError
        If the curve is not valid, or no interval holds three points.
    """
    time, value = check_curve(t, L)
    require(width > 0, "width", f"got {width!r}", "give a width in decades, for example 0.3")
    require(points >= 1, "points", f"got {points}", "give at least one centre")
    x, y = np.log(time), np.log(value)
    half = 0.5 * width * math.log(10.0)
    slack = 1e-9
    centres = np.linspace(x[0] + half, x[-1] - half, points) if x[-1] - x[0] > 2 * half else np.empty(0)
    start = np.searchsorted(x, centres - half - slack, side="left")
    stop = np.searchsorted(x, centres + half + slack, side="right")
    keep = stop - start >= 3
    require(
        bool(np.any(keep)),
        "width",
        f"no interval of {width:g} decades inside the data holds three points",
        "use a larger width or a finer curve",
    )
    slopes = [_weighted_line(x[i:j], y[i:j], np.ones(j - i))[0] for i, j in zip(start[keep], stop[keep], strict=True)]
    return LocalSlope(np.exp(centres[keep]), -np.asarray(slopes, dtype=np.float64))


def check_curve(t: ArrayLike, L: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return a curve as two float64 arrays after checking that it can be drawn on log-log axes.

    Parameters
    ----------
    t, L
        Abscissae and values, shape (T,).

    Returns
    -------
    tuple of ndarray
        The same as arrays.

    Raises
    ------
    InputError
        If shapes differ, there are fewer than three points, a value is not positive and finite, or t does
        not increase.
    """
    time = np.asarray(t, dtype=np.float64)
    value = np.asarray(L, dtype=np.float64)
    require(time.ndim == 1, "t", f"has shape {time.shape}", "give a one-dimensional array")
    require(value.shape == time.shape, "L", f"has shape {value.shape}", f"give the shape of t, {time.shape}")
    require(time.size >= 3, "t", f"has {time.size} points", "give at least three")
    for name, array in (("t", time), ("L", value)):
        good = bool(np.all(np.isfinite(array)) and np.all(array > 0))
        require(good, name, "holds a value that is NaN, infinite or not positive", "drop t = 0 and bad values")
    require(bool(np.all(np.diff(time) > 0)), "t", "does not increase", "sort the curve, without repeats")
    return time, value


def log_spaced_indices(t: FloatArray, first: float, last: float, points: int) -> NDArray[np.intp]:
    """Pick the points of ``t`` inside [first, last] nearest to evenly spaced log t, none repeated."""
    inside = np.flatnonzero((t >= first * (1 - 1e-12)) & (t <= last * (1 + 1e-12)))
    if inside.size <= 2:
        return inside
    x = np.log(t[inside])
    targets = np.linspace(x[0], x[-1], points)
    right = np.clip(np.searchsorted(x, targets), 1, x.size - 1)
    nearest = np.where(targets - x[right - 1] <= x[right] - targets, right - 1, right)
    return np.asarray(inside[np.unique(nearest)], dtype=np.intp)


def _weighted_line(x: FloatArray, y: FloatArray, weight: FloatArray) -> tuple[float, float, float]:
    """Slope, intercept and (for weights 1/sigma^2) variance of the slope of a weighted straight line."""
    total = float(np.sum(weight))
    mean_x = float(np.sum(weight * x)) / total
    mean_y = float(np.sum(weight * y)) / total
    spread = float(np.sum(weight * (x - mean_x) ** 2))
    slope = float(np.sum(weight * (x - mean_x) * (y - mean_y))) / spread
    return slope, mean_y - slope * mean_x, 1.0 / spread


def _curvature(x: FloatArray, y: FloatArray, weight: FloatArray, noisy: bool) -> float:
    """Half the difference of the slopes of the two halves; the three-point minimum shares the middle."""
    split = int(np.searchsorted(x, 0.5 * (x[0] + x[-1])))
    left = slice(0, max(split, 2))
    right = slice(min(split, x.size - 2), x.size)
    slope_left, _, variance_left = _weighted_line(x[left], y[left], weight[left])
    slope_right, _, variance_right = _weighted_line(x[right], y[right], weight[right])
    squared = 0.25 * (slope_left - slope_right) ** 2
    if noisy:
        squared -= 0.25 * (variance_left + variance_right)
    return math.sqrt(max(0.0, squared))
