"""Averages of a noisy curve with the errors that a fit needs."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from neural_scaling.base.checks import array, require_positive, whole
from neural_scaling.fits.power_law import FloatArray


def binned_means(t: ArrayLike, values: ArrayLike, start: float, per_decade: int = 16, fewest: int = 8) -> FloatArray:
    """Average a noisy curve in bins of equal width in log t.

    The error of a mean comes from the differences of successive values, which do not feel the slope of the curve. It supposes
    that the noise of neighbours is independent, as that of losses on fresh batches is; :func:`scatter_excess` shows whether.

    Parameters
    ----------
    t
        Increasing positive abscissae, shape (T,).
    values
        The curve, shape (T,).
    start
        Where the first bin begins, > 0, in the unit of t.
    per_decade
        Bins per decade of t.
    fewest
        Values that a bin needs for an error, >= 2; bins with fewer are left out.

    Returns
    -------
    ndarray
        Geometric mean of t, mean value and its standard error in each bin, shape (3, K).
    """
    time = array(t, "t", above=0, fewest=0, order="rising")
    curve = array(values, "values", shape=time.shape, fewest=0)
    start, per_decade = require_positive(start, "start"), whole(per_decade, "per_decade")
    fewest = whole(fewest, "fewest", least=2)
    place = np.floor(per_decade * np.log10(time / start) + 1e-9)
    rows = []
    for number in np.unique(place[place >= 0]):
        inside = np.flatnonzero(place == number)
        if inside.size >= fewest:
            part = curve[inside]
            error = math.sqrt(np.mean(np.diff(part) ** 2) / 2 / inside.size)
            rows.append((math.exp(np.log(time[inside]).mean()), part.mean(), error))
    return np.array(rows, dtype=np.float64).reshape(-1, 3).T


def moving_average(values: ArrayLike, size: int) -> FloatArray:
    """Return the means of so many values in a row.

    Parameters
    ----------
    values
        A curve, shape (T,).
    size
        How many values are averaged.

    Returns
    -------
    ndarray
        Shape (T - size + 1,); the mean of all values, shape (1,), where there are fewer than ``size``.
    """
    curve = array(values, "values", fewest=0)
    width = min(whole(size, "size"), curve.size)
    return np.convolve(curve, np.full(width, 1 / width), "valid") if width else curve


def scatter_excess(values: ArrayLike, row: int = 20, fewest: int = 8) -> float:
    """Return by how much means of values in a row scatter more than those of independent values would.

    Standard errors that suppose independent neighbours are too small by this factor where neighbours go together.

    Parameters
    ----------
    values
        A curve at equal steps, shape (T,).
    row
        How many values in a row are averaged.
    fewest
        Number of such means that are needed, >= 2.

    Returns
    -------
    float
        The factor, at least 1; 1 where there are too few values.
    """
    curve = array(values, "values", fewest=0)
    row, fewest = whole(row, "row"), whole(fewest, "fewest", least=2)
    count = curve.size // row
    if count < fewest:
        return 1.0
    means = curve[: count * row].reshape(count, row).mean(axis=1)
    single = float(np.mean(np.diff(curve) ** 2))
    return max(1.0, math.sqrt(row * float(np.mean(np.diff(means) ** 2)) / single)) if single > 0 else 1.0
