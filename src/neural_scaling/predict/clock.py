r"""Rich gradient flow of many spectra at once, as one scalar equation in its own clock.

With ``u = w* - v0`` and the scale ``s = 1 + gamma C_w``, the rank-one form of :mod:`neural_scaling.dmft.flow` reads
``u' = s a + (s'/2s) u``. For ``v_k = u_k / (w*_k sqrt(s))`` and the clock ``d tau = s dt`` it is linear,

.. math:: \frac{dv_k}{d\tau} = \lambda_k (s^{-1/2} - v_k), \qquad s = 1 + \gamma \sum_k (w^*_k)^2 v_k^2,

so that a mode is integrated exactly while ``s^-1/2`` is a straight line, and a step of all modes solves one equation for ``s``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from neural_scaling.base.arrays import Array
from neural_scaling.spectra import ModeQuadrature

_PER_DECADE = 60  # cells; losses come out to a few 1e-5
_FIRST = 1e-3  # end of the first cell, in units of one over the largest eigenvalue
_SERIES_BELOW = 1e-3
_ROUNDS = 50
_ROUNDING = 1e-32  # of a loss relative to that of the untrained model: smaller ones may be anything
_SHARP_EVERY = 6  # cells
_BISECTIONS = 40


@dataclass(frozen=True)
class Flows:
    """Solutions at the times asked for; S spectra, R times, K nodes (zeros where a spectrum has fewer)."""

    time: Array  # (R,)
    loss: Array  # (S, R)
    scale: Array  # (S, R): growth of all eigenvalues of the kernel
    clock: Array  # (S, R): tau, the integral of the scale
    parts: Array  # (S, R): share of the loss in the nodes that were marked
    sharpness: Array  # (S, R): largest eigenvalue of the kernel


def flows(
    quadratures: Sequence[ModeQuadrature], marked: Sequence[NDArray[np.bool_]], gammas: Array, time: Array
) -> Flows:
    """Solve eqs. 51-52 for several spectra, each with its richness, at given eta * steps (ascending, positive)."""
    nodes, squares, marks = (_padded(rows) for rows in _rows(quadratures, marked))
    edges = _edges(nodes, time)
    count = len(quadratures)
    v, scale, now = np.zeros_like(nodes), np.ones(count), np.zeros(count)
    power = nodes * squares
    kept = []
    sharp: list[Array] = []
    for number, (begin, end) in enumerate(itertools.pairwise(edges)):
        x = nodes * (end - begin)
        gone = -np.expm1(-x)
        with np.errstate(divide="ignore", invalid="ignore"):
            late = np.where(x > _SERIES_BELOW, 1 - gone / x, x / 2 - x**2 / 6)
        fixed = v - gone * v + (gone - late) * (scale**-0.5)[:, None]
        before, scale = scale, _next_scale(fixed, late, squares, gammas, scale)
        v = fixed + late * (scale**-0.5)[:, None]
        now = now + (end - begin) * (1 / before + 1 / scale + (before * scale) ** -0.5) / 3  # of a line, squared
        lost = power * (1 - np.sqrt(scale)[:, None] * v) ** 2
        kept.append((now, scale, lost.sum(axis=1), (lost * marks).sum(axis=1), np.full(count, end)))
        done = bool(np.all(now >= time[-1]))
        if done or number % _SHARP_EVERY == 0:
            sharp.append(np.array([now, _sharpness(nodes, gammas[:, None] * power * v**2, scale)]))
        if done:
            break
    times, scales, losses, parts, clocks = (np.array(one).T for one in zip(*kept, strict=True))
    losses = np.maximum(losses, _ROUNDING * power.sum(axis=1)[:, None])
    sharp_times, sharpness = np.array(sharp).transpose(1, 2, 0)

    def powers(values: Array) -> Array:
        return np.array(
            [np.exp(CubicSpline(np.log(t), np.log(y))(np.log(time))) for t, y in zip(times, values, strict=True)]
        )

    def lines(rows: Array, values: Array) -> Array:
        return np.array([np.interp(np.log(time), np.log(t), y) for t, y in zip(rows, values, strict=True)])

    return Flows(
        time,
        powers(losses),
        powers(scales),
        powers(clocks),
        lines(times, parts / losses),
        np.exp(lines(sharp_times, np.log(sharpness))),
    )


def _sharpness(nodes: Array, strength: Array, scale: Array) -> Array:
    """Return the largest eigenvalue of ``s Lambda`` and a matrix of rank one by bisection of its secular equation."""
    base = scale[:, None] * nodes
    low = base.max(axis=1) * (1 + 1e-12)
    high = low + np.abs(strength).sum(axis=1)
    for _ in range(_BISECTIONS):
        middle = np.sqrt(low * high)
        above = (strength / (middle[:, None] - base)).sum(axis=1) > 1
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.asarray(np.sqrt(low * high))


def _rows(
    quadratures: Sequence[ModeQuadrature], marked: Sequence[NDArray[np.bool_]]
) -> tuple[list[Array], list[Array], list[Array]]:
    nodes = [one.nodes for one in quadratures]
    return nodes, [one.target_weights for one in quadratures], [np.asarray(one, dtype=np.float64) for one in marked]


def _padded(rows: Sequence[Array]) -> Array:
    found = np.zeros((len(rows), max(row.size for row in rows)))
    for target, row in zip(found, rows, strict=True):
        target[: row.size] = row
    return found


def _edges(nodes: Array, time: Array) -> Array:
    """Return ends of cells in the clock, which starts before anything moves and never runs slower than time does."""
    first = min(_FIRST / float(nodes.max()), float(time[0]) / 10)
    decades = (
        math.log10(float(time[-1]) / first) + 20
    )  # the clock is ahead of time by no more, and the loop ends earlier
    return np.concatenate([[0.0], first * 10 ** np.arange(0, decades, 1 / _PER_DECADE)])


def _next_scale(fixed: Array, late: Array, squares: Array, gammas: Array, start: Array) -> Array:
    """Solve ``s = 1 + gamma sum_k w*_k^2 (fixed_k + late_k / sqrt(s))^2``, whose right side falls with s, by Newton's method."""
    known = (squares * fixed**2).sum(axis=1)
    mixed = (squares * fixed * late).sum(axis=1)
    last = (squares * late**2).sum(axis=1)
    scale = start.copy()
    for _ in range(_ROUNDS):
        root = scale**-0.5
        off = scale - 1 - gammas * (known + 2 * mixed * root + last * root**2)
        step = off / (1 + gammas * (mixed * root**3 + last * root**4))
        scale = np.maximum(scale - step, 1.0)
        if np.all(np.abs(step) <= 1e-13 * scale):
            break
    return scale
