"""Compute-optimal training: Table 1 as formulas, and by minimising the sum of four powers.

Compute is ``C = N t``, with t in eta*steps. At the optimum ``L* ~ C^-r``, ``N* ~ C^a`` and
``t* ~ C^(1-a)``. The paper gives r; a was derived here from the same balance of terms.

In logarithms every term is affine, so ``ln L`` as a function of ``ln N`` at fixed C is a log-sum-exp: convex,
with one minimum, found by bisection of its slope. The local exponents r(C) and a(C) then follow exactly
(envelope and implicit function theorem), without finite differences, at any C: ln C = 10^4 is no problem
because C itself is never formed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from neural_scaling.base.arrays import ArrayValue
from neural_scaling.base.checks import flag, instance, instances, real, require, require_positive
from neural_scaling.theory._inputs import FloatArray, capacity, positive_array, source_exponent
from neural_scaling.theory.exponents import Regime, chi, regime
from neural_scaling.theory.loss_law import PowerTerm, Version, loss_terms
from neural_scaling.theory.phases import Phase, phase


@dataclass(frozen=True)
class ComputeOptimum:
    """Exponents of the compute-optimal frontier.

    Attributes
    ----------
    regime
        Regime of the task, which fixes the row of Table 1.
    phase
        Terms that balance at the optimum.
    r
        Exponent of the loss, ``L* ~ C^-r``.
    a
        Exponent of the width, ``N* ~ C^a``; time is ``t* ~ C^(1-a)``.
    """

    regime: Regime
    phase: Phase
    r: float
    a: float


@dataclass(frozen=True, eq=False)
class Frontier(ArrayValue):
    """Numerical compute-optimal frontier; every array has the shape of ``log_compute``.

    Attributes
    ----------
    log_compute
        Natural logarithm of C = N t.
    log_width, log_time, log_loss
        Natural logarithms of the optimal N, of the optimal t (eta*steps) and of the loss there.
    r, a
        Local exponents ``-d ln L*/d ln C`` and ``d ln N*/d ln C``.
    shares
        Fraction of the loss in each term, shape (number of terms, ...).
    """

    log_compute: FloatArray
    log_width: FloatArray
    log_time: FloatArray
    log_loss: FloatArray
    r: FloatArray
    a: FloatArray
    shares: FloatArray


def compute_optimum(alpha: float, beta: float, rich: bool, finite_batch: bool = True) -> ComputeOptimum:
    """Closed-form exponents of Table 1.

    Parameters
    ----------
    alpha, beta
        Capacity, > 1, and source, > 0.
    rich
        True for gamma > 0. The rich hard row is a statement about gradient flow: it needs ``eta K(t) << 1``.
    finite_batch
        With an infinite batch there is no SGD noise and the easy row holds for super-easy tasks too.

    Returns
    -------
    ComputeOptimum
        r and a; on a boundary both are continuous.
    """
    alpha, beta = capacity(alpha), source_exponent(beta)
    row = regime(alpha, beta)
    balance = phase(alpha, beta, rich)
    finite_batch = flag(finite_batch, "finite_batch")
    if row == "super-easy" and not finite_batch:
        balance = phase(alpha, 0.5 * (3.0 - 1.0 / alpha), rich)  # a point of the easy region
    if row == "hard":
        time_exponent = chi(beta, rich)
        r = alpha * beta * time_exponent / (alpha * beta + time_exponent)
        return ComputeOptimum(row, balance, r, time_exponent / (alpha * beta + time_exponent))
    if row == "super-easy" and finite_batch:
        return ComputeOptimum(row, balance, 1.0 - 0.5 / alpha, 0.5)
    return ComputeOptimum(
        row, balance, alpha * beta / (alpha * beta + 1.0), (alpha * beta - alpha + 1.0) / (alpha * beta + 1.0)
    )


def frontier(terms: Sequence[PowerTerm], log_compute: ArrayLike, B: float = math.inf, eta: float = 1.0) -> Frontier:
    """Minimise a sum of powers over N at fixed C = N t, with 1 <= N <= C.

    Parameters
    ----------
    terms
        Terms of the loss, for example from :func:`~neural_scaling.theory.loss_law.loss_terms`.
    log_compute
        Natural logarithms of C, > 0, any shape.
    B
        Batch, > 0; infinite drops the SGD term.
    eta
        Learning rate, > 0.

    Raises
    ------
    InputError
        If there are fewer than two terms or an argument is out of range.
    """
    terms = instances(terms, "terms", PowerTerm, "pass the result of loss_terms", fewest=2)
    eta = require_positive(eta, "eta")
    B = real(B, "B", "give a positive batch, or math.inf", above=0, infinite=True)
    log_c = positive_array(log_compute, "log_compute")
    shape = (len(terms),) + (1,) * log_c.ndim
    constant = np.empty(len(terms))
    for i, term in enumerate(terms):
        require(term.coefficient > 0, "terms", f"{term.name} has coefficient {term.coefficient}", "use > 0")
        batch_part = 0.0 if term.B_exponent == 0 else term.B_exponent * math.log(B)
        constant[i] = math.log(term.coefficient) + term.eta_exponent * math.log(eta) + batch_part
    return minimise_affine(
        np.array([term.t_exponent for term in terms]).reshape(shape),
        np.array([term.N_exponent for term in terms]).reshape(shape),
        constant.reshape(shape),
        log_c,
    )


def table_frontier(alpha: float, beta: float, rich: bool, version: Version, log_compute: ArrayLike) -> Frontier:
    """Minimise the loss law that Table 1 speaks of: finite batch (B = eta = 1), except where it cannot be.

    For hard tasks with feature learning the corrected SGD term is the start of an expansion in
    ``(eta/B) K(t)`` and means nothing once that is large; the table's row needs it small, so the term is
    dropped there (infinite batch).

    Parameters
    ----------
    alpha, beta
        Capacity, > 1, and source, > 0.
    rich
        True for gamma > 0.
    version
        ``"paper"`` or ``"corrected"``.
    log_compute
        Natural logarithms of C, > 0, any shape.
    """
    terms = loss_terms(alpha, beta, rich, version)
    perturbative = version == "corrected" and rich and regime(alpha, beta) == "hard"
    return frontier(terms, log_compute, math.inf if perturbative else 1.0)


def balancing_terms(terms: Sequence[PowerTerm], optimum: Frontier, share: float = 1e-3) -> frozenset[str]:
    """Return the names of the terms that make up more than ``share`` of the loss at a single optimum.

    Parameters
    ----------
    terms
        Terms that were minimised.
    optimum
        Result for one value of C, so that ``shares`` has shape (number of terms,).
    share
        Fraction of the loss below which a term does not count.

    Raises
    ------
    InputError
        If the optimum holds more than one value of C.
    """
    terms = instances(terms, "terms", PowerTerm, "pass the result of loss_terms")
    share = real(share, "share", above=0, below=1)
    one = instance(optimum, "optimum", Frontier, "pass the result of frontier").shares.shape == (len(terms),)
    require(one, "optimum", f"has shares of shape {optimum.shares.shape}", "pass one value of C")
    return frozenset(term.name for term, part in zip(terms, optimum.shares, strict=True) if float(part) > share)


def minimise_affine(
    t_exponent: FloatArray, width_exponent: FloatArray, constant: FloatArray, log_compute: FloatArray
) -> Frontier:
    """Minimise ``log sum exp`` of affine functions of ln N: :func:`frontier` for many laws at once."""
    t_exponent, width_exponent, constant, log_c = np.broadcast_arrays(
        t_exponent, width_exponent, constant, log_compute[np.newaxis]
    )
    slope = width_exponent - t_exponent  # of each term in ln N at fixed C
    offset = constant + t_exponent * log_c
    low, high = np.zeros(log_c.shape[1:]), log_c[0].copy()
    for _ in range(100):  # 2^-100 of the range, or down to rounding
        middle = 0.5 * (low + high)
        if np.all((middle == low) | (middle == high)):
            break
        rising = np.sum(_shares(offset + slope * middle) * slope, axis=0) > 0
        high = np.where(rising, middle, high)
        low = np.where(rising, low, middle)
    log_width = 0.5 * (low + high)
    values = offset + slope * log_width
    shares = _shares(values)
    mean_slope = np.sum(shares * slope, axis=0)
    mean_time = np.sum(shares * t_exponent, axis=0)
    variance = np.sum(shares * (slope - mean_slope) ** 2, axis=0)
    covariance = np.sum(shares * (slope - mean_slope) * t_exponent, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        a = -covariance / variance
    return Frontier(
        log_compute=log_c[0].copy(),
        log_width=log_width,
        log_time=log_c[0] - log_width,
        log_loss=np.asarray(logsumexp(values, axis=0), dtype=np.float64),
        r=np.asarray(-mean_time, dtype=np.float64),
        a=np.asarray(a, dtype=np.float64),
        shares=shares,
    )


def _shares(values: FloatArray) -> FloatArray:
    with np.errstate(under="ignore"):
        weights = np.exp(values - np.max(values, axis=0))
        return np.asarray(weights / np.sum(weights, axis=0), dtype=np.float64)
