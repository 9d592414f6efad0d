"""Exponents of the loss in time: chi, its levels of approximation, and what follows from them.

All exponents are dimensionless and belong to time measured in ``eta * steps``; while the learning rate is
small enough that gradient descent follows gradient flow they are also the exponents in steps.
"""

from __future__ import annotations

import math
from typing import Literal, overload

import numpy as np
from scipy.special import zeta

from neural_scaling.base.checks import count, flag
from neural_scaling.theory._inputs import FloatArray, capacity, positive_array, source_exponent

Regime = Literal["hard", "easy", "super-easy"]


@overload
def chi(beta: float, rich: bool = True) -> float: ...
@overload
def chi(beta: FloatArray, rich: bool = True) -> FloatArray: ...
def chi(beta: float | FloatArray, rich: bool = True) -> float | FloatArray:
    """Exponent of the loss in time for infinite width and batch, ``L ~ t^-chi``, of the shape of ``beta``.

    Parameters
    ----------
    beta
        Source exponent, a number or an array of any shape.
    rich
        True for gamma > 0 (eqs. 10 and 68: ``beta max(1, 2/(1+beta))``), False for the lazy limit (``beta``).
    """
    source = positive_array(beta, "beta")
    value = source * time_multiplier(source, rich)
    return float(value) if value.ndim == 0 else value


@overload
def time_multiplier(beta: float, rich: bool = True) -> float: ...
@overload
def time_multiplier(beta: FloatArray, rich: bool = True) -> FloatArray: ...
def time_multiplier(beta: float | FloatArray, rich: bool = True) -> float | FloatArray:
    """Factor ``m`` by which feature learning speeds up the clock: the effective time grows like ``t^m``; shape of ``beta``.

    ``m = max(1, 2/(1+beta))`` when rich and 1 when lazy (eqs. 9 and 11; ``m = max(1, 2 - chi)``).

    Parameters
    ----------
    beta
        Source exponent, a number or an array of any shape.
    rich
        True for gamma > 0.
    """
    source = positive_array(beta, "beta")
    value = np.maximum(1.0, 2.0 / (1.0 + source)) if flag(rich, "rich") else np.ones_like(source)
    return float(value) if value.ndim == 0 else value


@overload
def chi_level(beta: float, level: float) -> float: ...
@overload
def chi_level(beta: FloatArray, level: float) -> FloatArray: ...
def chi_level(beta: float | FloatArray, level: float) -> float | FloatArray:
    """Exponent at a finite level of the perturbative bootstrap (eq. 62), of the shape of ``beta``.

    ``chi_0 = beta`` and ``chi_{n+1} = max(beta, beta (2 - chi_n))``. For ``beta < 1`` the distance to
    :func:`chi` shrinks by the factor ``beta`` and changes sign at every level.

    Parameters
    ----------
    beta
        Source exponent, a number or an array of any shape.
    level
        Number of refinements, a non-negative whole number, or ``math.inf`` for the limit.
    """
    source = positive_array(beta, "beta")
    level = count(level, "level", "give a whole number >= 0, or math.inf for the limit", least=0)
    if level == math.inf:
        value = np.asarray(chi(source))
    else:
        value = source
        for _ in range(int(level)):
            value = np.maximum(source, source * (2.0 - value))
    return float(value) if value.ndim == 0 else value


def regime(alpha: float, beta: float) -> Regime:
    """Difficulty of the task: hard (beta < 1), easy (1 < beta < 2 - 1/alpha) or super-easy (Table 1).

    A task exactly on a boundary counts as the harder of the two; there the pure powers carry logarithms.

    Parameters
    ----------
    alpha, beta
        Capacity, > 1, and source, > 0.

    Returns
    -------
    str
        ``"hard"``, ``"easy"`` or ``"super-easy"``.
    """
    alpha, beta = capacity(alpha), source_exponent(beta)
    if beta <= 1.0:
        return "hard"
    return "easy" if beta <= 2.0 - 1.0 / alpha else "super-easy"


def kernel_growth_exponent(beta: float, rich: bool = True) -> float:
    """Exponent of the growth of the kernel, ``K(t) ~ t^(1-chi)`` for hard tasks, 0 otherwise (eq. 11).

    Parameters
    ----------
    beta
        Source, > 0.
    rich
        True for gamma > 0; the lazy kernel does not move.

    Returns
    -------
    float
        ``max(0, 1 - chi)`` when rich, 0 when lazy.
    """
    beta = source_exponent(beta)
    return max(0.0, 1.0 - chi(beta)) if flag(rich, "rich") else 0.0


def modes_learned_exponent(alpha: float, beta: float, rich: bool = True) -> float:
    """Exponent of the number of modes learned, ``k*(t) ~ t^((2-chi)/alpha)`` or ``t^(1/alpha)`` (eq. 11).

    Parameters
    ----------
    alpha, beta
        Capacity, > 1, and source, > 0.
    rich
        True for gamma > 0.

    Returns
    -------
    float
        ``m / alpha`` with m from :func:`time_multiplier`.
    """
    return time_multiplier(source_exponent(beta), rich) / capacity(alpha)


def rkhs_norm_squared(alpha: float, beta: float) -> float:
    """Squared norm of the target in the Hilbert space of the initial kernel (eq. 7).

    The exact sum ``sum_k k^(-alpha (beta - 1) - 1) = zeta(1 + alpha (beta - 1))``; the paper's
    ``1/(alpha (beta - 1))`` is its leading part near ``beta = 1``.

    Parameters
    ----------
    alpha, beta
        Capacity, > 1, and source, > 0.

    Returns
    -------
    float
        The norm squared; infinite for ``beta <= 1``.
    """
    alpha, beta = capacity(alpha), source_exponent(beta)
    return float(zeta(1.0 + alpha * (beta - 1.0))) if beta > 1.0 else math.inf
