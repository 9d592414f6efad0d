"""The self-consistent loss curve behind chi (eqs. 62-68), integrated instead of estimated.

The spike that feature learning adds to the kernel is left out and only its overall growth is kept, as in
the paper's bootstrap. With the continuous spectrum ``lambda(k) = k^-alpha``, ``k >= 1``, the sum over modes
is an incomplete gamma function, so the curves reach any time at the cost of a small differential equation.
Time is in eta*steps; the learning rate is infinitesimal, so there is no edge of stability here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.special import gammainc, gammaln

from neural_scaling.base.arrays import ArrayValue
from neural_scaling.base.checks import array, count, require
from neural_scaling.theory._inputs import FloatArray, capacity, positive_array, richness, source_exponent

LATEST_TIME = 1e140
"""Largest time that is accepted, in eta*steps; beyond it ``t^2`` leaves double precision."""


@dataclass(frozen=True, eq=False)
class SelfConsistentCurve(ArrayValue):
    """Solution of the scale-only dynamics.

    Attributes
    ----------
    time
        Shape (T,), eta*steps.
    effective_time
        Shape (T,), integral of the kernel's scale, eta*steps.
    kernel
        Shape (T,), scale of the kernel relative to initialization.
    loss
        Shape (T,), ``sum_k lambda_k (w*_k)^2 exp(-2 lambda_k effective_time)``.
    """

    time: FloatArray
    effective_time: FloatArray
    kernel: FloatArray
    loss: FloatArray


def mode_sum(alpha: float, beta: float, x: ArrayLike) -> FloatArray:
    """Integral over modes ``int_1^inf k^(-alpha beta - 1) exp(-x k^-alpha) dk``, shape of ``x``.

    Equal to ``x^-beta Gamma(beta) P(beta, x) / alpha`` with the regularized incomplete gamma function P.

    Parameters
    ----------
    alpha, beta
        Capacity, > 1, and source, > 0.
    x
        Effective time in eta*steps, > 0, any shape.
    """
    return _mode_sum(capacity(alpha), source_exponent(beta), positive_array(x, "x"))


def self_consistent_curve(alpha: float, beta: float, gamma: float, time: ArrayLike) -> SelfConsistentCurve:
    """Integrate eqs. 63-67: the residual that drives the kernel decays with the kernel it drives.

    ``da/dt = K``, ``K = 1 + gamma b``, ``db/dt = S(a)`` with ``S`` from :func:`mode_sum`.

    Parameters
    ----------
    alpha, beta
        Capacity, > 1, and source, > 0.
    gamma
        Richness, >= 0.
    time
        Increasing times, shape (T,), eta*steps, positive and at most ``LATEST_TIME``.

    Returns
    -------
    SelfConsistentCurve
        Curves of shape (T,).
    """
    alpha, beta, gamma, times = _checked(alpha, beta, gamma, time)
    log_a, log_b = _integrate(alpha, beta, gamma, times, math.inf)
    effective = np.exp(log_a[0])
    kernel = 1.0 + gamma * np.exp(log_b[0])
    return SelfConsistentCurve(times, effective, kernel, _mode_sum(alpha, beta, 2.0 * effective))


def level_curve(alpha: float, beta: float, gamma: float, time: ArrayLike, level: float) -> FloatArray:
    """Loss at a level of the bootstrap (eqs. 60-62), level 0 being the lazy loss, shape (T,).

    Level n takes the kernel that grows with the residual of level n - 1.

    Parameters
    ----------
    alpha, beta, gamma, time
        As for :func:`self_consistent_curve`.
    level
        Number of refinements, a non-negative whole number, or ``math.inf`` for the limit, :func:`self_consistent_curve`.
    """
    alpha, beta, gamma, times = _checked(alpha, beta, gamma, time)
    level = count(level, "level", "give a whole number >= 0, or math.inf for the limit", least=0)
    if level == 0:
        return _mode_sum(alpha, beta, 2.0 * times)
    log_a, _ = _integrate(alpha, beta, gamma, times, level)
    return _mode_sum(alpha, beta, 2.0 * np.exp(log_a[-1]))


def _mode_sum(alpha: float, beta: float, x: FloatArray) -> FloatArray:
    log_x = np.log(x)
    with np.errstate(under="ignore", divide="ignore"):
        log_lower = gammaln(beta) + np.log(gammainc(beta, x))
    tiny = x < 1e-8  # P(beta, x) ~ x^beta / Gamma(beta + 1) (1 - beta x / (beta + 1))
    log_value = np.where(tiny, -math.log(beta) - beta * x / (beta + 1.0), log_lower - beta * log_x)
    return np.asarray(np.exp(log_value) / alpha, dtype=np.float64)


def _integrate(
    alpha: float, beta: float, gamma: float, times: FloatArray, levels: float
) -> tuple[FloatArray, FloatArray]:
    """Logarithms of the effective times and of the integrated residuals, each (number of levels, T)."""
    rows = 1 if levels == math.inf else int(levels)
    start = math.log(min(1e-6, float(times[0])))

    def slope(s: float, state: FloatArray) -> FloatArray:
        log_a, log_b = state[:rows], state[rows:]
        driver = np.exp(log_a if levels == math.inf else np.concatenate(([s], log_a[:-1])))
        growth_a = np.exp(s - log_a) * (1.0 + gamma * np.exp(log_b))
        growth_b = np.exp(s - log_b) * _mode_sum(alpha, beta, driver)
        return np.concatenate((growth_a, growth_b))

    first_b = start + math.log(float(_mode_sum(alpha, beta, np.array(math.exp(start)))))
    state = np.concatenate((np.full(rows, start), np.full(rows, first_b)))
    grid = np.log(times)
    solution = solve_ivp(slope, (start, float(grid[-1])), state, method="DOP853", t_eval=grid, rtol=1e-10, atol=1e-10)
    require(bool(solution.success), "time", str(solution.message), "shorten the range of times")
    values = np.asarray(solution.y, dtype=np.float64)
    return values[:rows], values[rows:]


def _checked(alpha: float, beta: float, gamma: float, time: ArrayLike) -> tuple[float, float, float, FloatArray]:
    times = array(time, "time", above=0, most=LATEST_TIME, order="rising")
    return capacity(alpha), source_exponent(beta), richness(gamma), times
