"""The kernel's growth and the effective time it produces, from the ansatz inside eq. 10.

Time enters here in steps together with the learning rate. The prefactors of the growing terms are set to
one, as in the paper: these functions order effects and set windows, they do not predict values.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from neural_scaling.base.checks import require_positive
from neural_scaling.theory._inputs import FloatArray, capacity, positive_array, richness, source_exponent
from neural_scaling.theory.exponents import chi


def kernel_scale(beta: float, gamma: float, eta: float, step: ArrayLike) -> FloatArray:
    """Scale of the kernel relative to initialization, ``K = 1 + gamma (eta t)^(1-chi)`` (after eq. 10), shape of ``step``.

    For easy tasks the growth saturates and the function returns ``1 + gamma``.

    Parameters
    ----------
    beta
        Source, > 0.
    gamma
        Richness, >= 0.
    eta
        Learning rate, > 0.
    step
        Steps, > 0, any shape.
    """
    beta, gamma, eta = source_exponent(beta), richness(gamma), require_positive(eta, "eta")
    time = eta * positive_array(step, "step")
    growth = max(0.0, 1.0 - chi(beta))
    return np.asarray(1.0 + gamma * time**growth, dtype=np.float64)


def effective_time(beta: float, gamma: float, eta: float, step: ArrayLike) -> FloatArray:
    """Time that a frozen kernel would need, ``eta t + gamma (eta t)^(2-chi)``, in eta*steps (eq. 10), shape of ``step``.

    Parameters
    ----------
    beta, gamma, eta, step
        As in :func:`kernel_scale`.
    """
    scale = kernel_scale(beta, gamma, eta, step)
    return np.asarray(float(eta) * positive_array(step, "step") * scale, dtype=np.float64)


def modes_learned(alpha: float, beta: float, gamma: float, eta: float, step: ArrayLike) -> FloatArray:
    """Return the number of modes learned, ``k* = (eta t + gamma (eta t)^(2-chi))^(1/alpha)`` (eqs. 10, 11).

    Parameters
    ----------
    alpha
        Capacity, > 1.
    beta, gamma, eta, step
        As in :func:`kernel_scale`.

    Returns
    -------
    ndarray
        k*, shape of ``step``.
    """
    alpha = capacity(alpha)
    return np.asarray(effective_time(beta, gamma, eta, step) ** (1.0 / alpha), dtype=np.float64)


def step_of_modes(alpha: float, beta: float, gamma: float, eta: float, modes: float) -> float:
    """Step, not necessarily whole, at which ``modes`` modes are learned, the inverse of :func:`modes_learned`.

    Parameters
    ----------
    alpha
        Capacity, > 1.
    beta, gamma, eta
        As in :func:`kernel_scale`.
    modes
        Number of modes, > 0.
    """
    alpha, beta, gamma = capacity(alpha), source_exponent(beta), richness(gamma)
    eta = require_positive(eta, "eta")
    target = alpha * math.log(require_positive(modes, "modes"))

    def gap(log_step: float) -> float:
        return math.log(float(effective_time(beta, gamma, eta, math.exp(log_step)))) - target

    high = target - math.log(eta)
    low = high
    while gap(low) > 0:
        low -= 1.0 + abs(low)
    return math.exp(float(brentq(gap, low, high, xtol=1e-13))) if low < high else math.exp(high)


def edge_of_stability_step(beta: float, gamma: float, eta: float, largest_eigenvalue: float = 1.0) -> float:
    """Step at which ``eta lambda_1 K(t)`` reaches 2 with K from :func:`kernel_scale`.

    From there on gradient descent no longer follows gradient flow, the kernel stops growing and the gain in
    the exponent is lost. The order of magnitude only: the prefactor of the growth is one.

    Parameters
    ----------
    beta, gamma, eta
        As in :func:`kernel_scale`.
    largest_eigenvalue
        lambda_1 of the initial kernel, > 0.

    Returns
    -------
    float
        Steps; infinite if the edge is never reached, 0 if the first step is already beyond it.
    """
    beta, gamma, eta = source_exponent(beta), richness(gamma), require_positive(eta, "eta")
    largest_eigenvalue = require_positive(largest_eigenvalue, "largest_eigenvalue")
    excess = 2.0 / (eta * largest_eigenvalue) - 1.0
    if excess <= 0:
        return 0.0
    growth = max(0.0, 1.0 - chi(beta))
    if gamma == 0:
        return math.inf
    if growth == 0:
        return 0.0 if gamma >= excess else math.inf
    log_time = math.log(excess / gamma) / growth
    return math.inf if log_time > 700 else math.exp(log_time) / eta
