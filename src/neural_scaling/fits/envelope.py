"""The compute-optimal frontier of a family of loss curves, one per width."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neural_scaling.base.arrays import ArrayValue
from neural_scaling.base.checks import array, instances, real, require
from neural_scaling.fits.power_law import FloatArray, check_curve


@dataclass(frozen=True, eq=False)
class ComputeFrontier(ArrayValue):
    """Lower envelope of loss curves on a grid of compute; every array has the same shape (C,).

    Attributes
    ----------
    compute
        C = N t, t in steps.
    loss, width
        Smallest loss at that compute and the width that reaches it, both interpolated between widths.
    interior
        Whether curves on both sides of the best one reach that compute. Where they do not, the minimum may lie
        outside the family, and ``loss`` and ``width`` are those of the best curve.
    """

    compute: FloatArray
    loss: FloatArray
    width: FloatArray
    interior: NDArray[np.bool_]

    @property
    def time(self) -> FloatArray:
        """Optimal number of steps, ``C / N``, shape (C,)."""
        return self.compute / self.width

    def inside(self) -> tuple[float, float]:
        """Return the first and last compute of the longest stretch without an outer minimum.

        Raises
        ------
        InputError
            If there is none.
        """
        edges = np.flatnonzero(np.diff(np.concatenate([[False], self.interior, [False]]).astype(int)))
        starts, stops = edges[::2], edges[1::2]
        require(starts.size > 0, "curves", "no minimum lies between two widths", "add smaller or larger widths")
        longest = int(np.argmax(stops - starts))
        return float(self.compute[starts[longest]]), float(self.compute[stops[longest] - 1])


def compute_frontier(
    widths: ArrayLike, curves: Sequence[tuple[ArrayLike, ArrayLike]], compute: ArrayLike, reach: float = 2.0
) -> ComputeFrontier:
    """Extract the frontier: at each compute the minimum over widths of the loss at step C/N.

    Curves are interpolated linearly in log-log. The loss as a function of ln N at fixed C is smooth with one minimum.
    Its value is that of the parabola through the best width and its two neighbours, which takes out the scallops of the
    plain envelope. Its place, a staircase if read off the best width, is that of the parabola fitted to all widths
    within a factor ``reach`` of the best, which averages the noise of simulated curves.

    Parameters
    ----------
    widths
        N of each curve, ascending, shape (W,).
    curves
        Steps (ascending, positive) and losses (positive) of each curve.
    compute
        Grid of C, ascending, positive, shape (C,).
    reach
        Factor in width, > 1, within which curves take part in the optimal width.

    Raises
    ------
    InputError
        If shapes do not fit, a curve cannot be drawn in log-log, or no curve reaches some compute.
    """
    width = array(widths, "widths", above=0, order="rising")
    remedy = "give a list of pairs, steps and losses, one for each width"
    pairs = [tuple(pair) for pair in instances(curves, "curves", (tuple, list), remedy, fewest=0)]
    require(all(len(pair) == 2 for pair in pairs), "curves", "one is no pair", remedy)
    require(len(pairs) == width.size, "curves", f"got {len(pairs)}", f"give one per width, {width.size}")
    reach = real(reach, "reach", above=1)
    grid = array(compute, "compute", above=0, order="rising")
    x, log_width = np.log(grid), np.log(width)
    table = np.empty((width.size, grid.size))
    for row, offset, (step, loss) in zip(table, log_width, pairs, strict=True):
        t, value = check_curve(step, loss)
        row[:] = np.interp(x - offset, np.log(t), np.log(value), left=math.inf, right=math.inf)
    reached = np.isfinite(table).any(axis=0)
    require(
        bool(reached.all()),
        "compute",
        f"no curve reaches C = {grid[np.argmin(reached)]:g}",
        "shorten the grid, or run longer or narrower",
    )
    best = np.argmin(table, axis=0)
    found_width, found_loss, interior = log_width[best], table[best, np.arange(grid.size)], np.zeros(grid.size, bool)
    slack = math.log(reach) * (1 + 1e-9)
    for j, i in enumerate(best):
        near = (np.abs(log_width - log_width[i]) <= slack) & np.isfinite(table[:, j])
        if not (near[max(i - 1, 0) : i].any() and near[i + 1 : i + 2].any()):
            continue
        interior[j] = True
        beside = slice(i - 1, i + 2)
        _, found_loss[j] = _vertex(log_width[beside] - log_width[i], table[beside, j])
        shift, _ = _vertex(log_width[near] - log_width[i], table[near, j])
        found_width[j] = log_width[i] + shift
    return ComputeFrontier(grid, np.exp(found_loss), np.exp(found_width), interior)


def _vertex(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Return place and value of the minimum of the parabola through points around x = 0, or of the point at 0."""
    bend, slope, level = _parabola(tuple(x)) @ y
    place = -0.5 * slope / bend if bend > 0 else math.inf
    if not x[0] <= place <= x[-1]:
        return 0.0, float(y[np.argmin(np.abs(x))])
    return float(place), float(level - 0.25 * slope**2 / bend)


@functools.lru_cache(256)
def _parabola(x: tuple[float, ...]) -> FloatArray:
    """Return the matrix that takes values at these points to their least-squares parabola; resampled curves share the points."""
    return np.linalg.pinv(np.vander(x, 3))
