"""Power-law fits whose uncertainty also covers the departure from a power law."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from neural_scaling.base.arrays import ArrayValue
from neural_scaling.base.checks import array, require, require_positive, whole

FloatArray = NDArray[np.float64]

NORMAL_95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""

_ROUNDING = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class PowerLawFit:
    """Fit of ``L = prefactor * t^-exponent`` in a window: the mean local slope of the curve there.

    The mean weights slopes as least squares does. It is the exponent of the curve where that is a power law; where a correction
    decays slowly, the exponent it tends to lies outside the interval more often than not.

    Attributes
    ----------
    exponent
        Decay exponent (positive for a falling curve).
    prefactor
        Value of the fitted law at t = 1, in the units of L.
    statistical_error
        Standard error of the exponent from the errors of the points; without them from the scatter about the line, and
        from the rounding of the values at least.
    curvature
        Half the difference between the exponents fitted to the two halves (in log t) of the window, with
        the part that noise alone would produce removed in quadrature. It is what is left of a
        deterministic curve's departure from a power law.
    standard_error
        ``hypot(statistical_error, curvature)``: the curvature is counted as one standard error.
    interval
        95 % interval of the mean local slope: ``statistical_error`` times 1.96, or Student's quantile where it comes from the
        scatter, and 1.96 ``curvature``, added in quadrature. Noise of the points is taken as independent.
    window
        First and last abscissa asked for, in the units of t.
    points
        Number of samples used.
    correlated
        Whether neighbouring points depart to the same side of the line as independent noise lets them in less than 1 of 20
        curves: the curve bends, or its points share noise that the interval does not hold. Noise that is shared shows with
        some thirty points or more.
    """

    exponent: float
    prefactor: float
    statistical_error: float
    curvature: float
    standard_error: float
    interval: tuple[float, float]
    window: tuple[float, float]
    points: int
    correlated: bool


@dataclass(frozen=True, eq=False)
class LocalSlope(ArrayValue):
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
        Standard errors of L, shape (T,), positive and independent from point to point. They weight the fit and give the
        statistical error. Without them all points are taken to scatter alike, independently, and by as much as they do about
        the line. Points of one learning curve share their noise: fit each run and use the spread over runs instead.
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
    error = None if sigma is None else check_errors(sigma, time.shape)
    most = whole(points, "points", least=3)
    first, last = (float(time[0]), float(time[-1])) if window is None else check_window(window)
    chosen = log_spaced_indices(time, first, last, most)
    require(
        chosen.size >= 3,
        "window",
        f"({first:g}, {last:g}) holds {chosen.size} of the samples",
        "widen it or sample the curve more finely: a fit needs three",
    )
    x, y = np.log(time[chosen]), np.log(value[chosen])
    weight = np.ones_like(x) if error is None else (value[chosen] / error[chosen]) ** 2
    slope, intercept, variance = weighted_line(x, y, weight)
    residual = (y - intercept - slope * x) * np.sqrt(weight)
    noise, quantile = 1.0, NORMAL_95
    if error is None:
        freedom = x.size - 2
        rounding = _ROUNDING * (1 + np.abs(y).max() + abs(slope) * np.abs(x).max())
        noise = max(float(residual @ residual) / freedom, rounding**2)
        quantile = float(stdtrit(freedom, 0.975))
    statistical = math.sqrt(noise * variance)
    curvature = _curvature(x, y, weight, noise)
    half_width = math.hypot(quantile * statistical, NORMAL_95 * curvature)
    return PowerLawFit(
        exponent=-slope,
        prefactor=math.exp(intercept) if intercept < 700 else math.inf,
        statistical_error=statistical,
        curvature=curvature,
        standard_error=math.hypot(statistical, curvature),
        interval=(-slope - half_width, -slope + half_width),
        window=(first, last),
        points=int(chosen.size),
        correlated=correlated(residual),
    )


def resampled_exponent(
    t: ArrayLike, L: ArrayLike, window: tuple[float, float], resampled: ArrayLike | None = None
) -> tuple[float, float]:
    """Fit a power law to a curve whose noise is known from curves drawn again, for example from resampled seeds.

    The error holds the spread over drawn curves and the bend: half the difference between the exponents of the two halves of
    the window (in log t), less in quadrature what noise alone gives. Points of a curve may share their noise.

    Parameters
    ----------
    t
        Increasing positive abscissae, shape (T,).
    L
        Positive values, shape (T,).
    window
        First and last t, both included.
    resampled
        Curves drawn again, shape (R, T), R >= 2; None where nothing is random.

    Returns
    -------
    tuple of float
        Decay exponent and its standard error.

    Raises
    ------
    InputError
        As :func:`fit_power_law` for the window and for each of its halves, or if shapes differ.
    """
    time, value = check_curve(t, L)
    first, last = check_window(window)
    drawn = np.empty((0, time.size))
    if resampled is not None:
        drawn = array(resampled, "resampled", axes=2, above=0, fewest=2)
        require(drawn.shape[1] == time.size, "resampled", f"has {drawn.shape[1]} points", f"give {time.size}, as t has")
    middle = math.sqrt(first * last)

    def fitted(curve: FloatArray) -> tuple[float, float]:
        left, right = (fit_power_law(time, curve, part).exponent for part in ((first, middle), (middle, last)))
        return fit_power_law(time, curve, (first, last)).exponent, 0.5 * (left - right)

    exponent, bend = fitted(value)
    noise = np.std([fitted(curve) for curve in drawn], axis=0, ddof=1) if len(drawn) else np.zeros(2)
    return exponent, math.sqrt(float(noise[0]) ** 2 + max(0.0, bend**2 - float(noise[1]) ** 2))


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
    width = require_positive(width, "width", "give a width in decades, for example 0.3")
    points = whole(points, "points")
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
    slopes = [weighted_line(x[i:j], y[i:j], np.ones(j - i))[0] for i, j in zip(start[keep], stop[keep], strict=True)]
    return LocalSlope(np.exp(centres[keep]), -np.asarray(slopes, dtype=np.float64))


def check_curve(t: ArrayLike, L: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return a curve as two float64 arrays after checking that it can be drawn on log-log axes."""
    time = array(t, "t", above=0, fewest=3, order="rising")
    return time, array(L, "L", shape=time.shape, above=0)


def check_errors(sigma: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    """Return standard errors of values of some shape as float64, if all are positive."""
    return array(sigma, "sigma", shape=shape, axes=len(shape), above=0)


def check_window(window: Any) -> tuple[float, float]:
    """Return the ends of a window, if they are positive and in order."""
    first, last = array(window, "window", shape=(2,), above=0, order="rising")
    return float(first), float(last)


def correlated(residual: FloatArray) -> bool:
    """Return whether neighbours along the last axis of scaled residuals go together beyond the chance of 1 in 20.

    For independent noise the sum of their products over that of squares has a standard deviation of about one over the root of
    their number, about a mean below zero.
    """
    together = float(np.sum(residual[..., 1:] * residual[..., :-1]))
    size = residual.shape[-1]
    return size >= 8 and together > 1.645 / math.sqrt(size) * float(np.sum(residual**2))


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


def weighted_line(x: FloatArray, y: FloatArray, weight: FloatArray) -> tuple[float, float, float]:
    """Slope, intercept and (for weights 1/sigma^2) variance of the slope of a weighted straight line."""
    total = float(np.sum(weight))
    mean_x = float(np.sum(weight * x)) / total
    mean_y = float(np.sum(weight * y)) / total
    spread = float(np.sum(weight * (x - mean_x) ** 2))
    slope = float(np.sum(weight * (x - mean_x) * (y - mean_y))) / spread
    return slope, mean_y - slope * mean_x, 1.0 / spread


def _curvature(x: FloatArray, y: FloatArray, weight: FloatArray, noise: float) -> float:
    """Half the difference of the slopes of the two halves; the three-point minimum shares the middle.

    ``noise`` is the variance of a point of weight one.
    """
    split = int(np.searchsorted(x, 0.5 * (x[0] + x[-1])))
    left = slice(0, max(split, 2))
    right = slice(min(split, x.size - 2), x.size)
    slope_left, _, variance_left = weighted_line(x[left], y[left], weight[left])
    slope_right, _, variance_right = weighted_line(x[right], y[right], weight[right])
    squared = (slope_left - slope_right) ** 2 - noise * (variance_left + variance_right)
    return 0.5 * math.sqrt(max(0.0, squared))
