r"""The late solution of rich gradient flow on a hard task, with all its constants.

With the clock ``tau``, ``d tau = s dt``, and the scale ``s`` of the kernel, the rank-one form of the dynamics
(:mod:`neural_scaling.dmft.flow`) integrates to

.. math::
    1 - \frac{v^0_k}{w^*_k} = \lambda_k \int_0^\tau \sqrt{\frac{s(\tau)}{s(\tau')}}\, e^{-\lambda_k (\tau - \tau')} d\tau',
    \qquad s (s - 1) = \gamma \sum_k (w^*_k - v^0_k)^2 .

For beta < 1 the pair has a self-similar solution ``s = c tau^nu`` with ``nu = (1 - beta)/2``: the learned fraction of a
mode depends on ``x = lambda_k tau`` alone, ``p(x) = x int_0^1 r^(-nu/2) e^(-x (1 - r)) dr``, and the sum over modes
becomes an integral. So ``tau ~ t^(2/(1+beta))``, the loss falls with the exponent of eqs. 10 and 68, and the prefactors
that the paper leaves open are integrals of p.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import gamma as gamma_function
from scipy.special import hyp1f1

from neural_scaling.base.checks import flag, real, require_positive
from neural_scaling.theory._inputs import FloatArray, capacity, positive_array, richness
from neural_scaling.theory.exponents import rkhs_norm_squared

_FAR = 50.0  # beyond this the large-x series of p is exact to rounding
_TERMS = 24


@dataclass(frozen=True)
class SelfSimilarSolution:
    """The late solution; ``time`` arguments are eta * steps.

    Attributes
    ----------
    alpha, beta, gamma
        Capacity, source below 1, richness above 0.
    kernel_constant
        c in ``s = c tau^nu``.
    loss_constant
        A in ``L = A tau^-beta``.
    spike_share
        Decay of the loss due to the kernel's spike over that due to its scale (second over third term of
        eq. 53). Depends on beta alone.
    half_learned
        ``lambda_k tau`` at which half of a mode is learned.
    """

    alpha: float
    beta: float
    gamma: float
    kernel_constant: float
    loss_constant: float
    spike_share: float
    half_learned: float

    @property
    def nu(self) -> float:
        """Exponent of the kernel's scale in the clock, ``(1 - beta)/2``."""
        return (1 - self.beta) / 2

    def clock(self, time: ArrayLike) -> FloatArray:
        """Return ``tau``, the integral of the kernel's scale, in eta * steps."""
        elapsed = positive_array(time, "time")
        return np.asarray(((1 - self.nu) * self.kernel_constant * elapsed) ** (1 / (1 - self.nu)))

    def kernel(self, time: ArrayLike) -> FloatArray:
        """Return the scale s of the kernel; it grows like ``t^(1-chi)``."""
        return np.asarray(self.kernel_constant * self.clock(time) ** self.nu)

    def loss(self, time: ArrayLike) -> FloatArray:
        """Return the loss; it falls like ``t^-chi``."""
        return np.asarray(self.loss_constant * self.clock(time) ** -self.beta)

    def modes_learned(self, time: ArrayLike) -> FloatArray:
        """Return the mode that is half learned; it grows like ``t^((2-chi)/alpha)``."""
        return np.asarray((self.clock(time) / self.half_learned) ** (1 / self.alpha))

    def closure_ratio(self, exact_rate: bool = False) -> float:
        """Return the late loss of a closure that keeps the scale alone over this one; both fall with the same power.

        Parameters
        ----------
        exact_rate
            Let the scale grow at its exact rate ``2 (y - Delta) . Delta`` in place of ``y . Delta``, which eq. 63 takes.
        """
        rate = 2 * (1 - 2**-self.beta) if flag(exact_rate, "exact_rate") else 1.0
        weight = float(gamma_function(self.beta)) / self.alpha
        squared = 2 * self.gamma * weight / (1 - self.beta) * rate
        clocks = (self.kernel_constant / math.sqrt(squared)) ** (self.beta / (1 - self.nu))
        return float(weight * 2**-self.beta / self.loss_constant * clocks)


def unlearned_fraction(x: ArrayLike, nu: float) -> FloatArray:
    """Return ``1 - p(x)``, the error of a mode with ``lambda tau = x`` relative to its target.

    Parameters
    ----------
    x
        Positive numbers, any shape.
    nu
        Exponent of the kernel's scale in the clock, between 0 (a kernel that does not grow: ``e^-x``) and 1.

    Returns
    -------
    ndarray
        Of the shape of ``x``; negative at large x, where the spike has pushed the mode past its target.
    """
    value = positive_array(x, "x")
    nu = real(nu, "nu", least=0, below=1)
    near = np.minimum(value, _FAR)
    inside = 1 - near / (1 - nu / 2) * hyp1f1(1.0, 2 - nu / 2, -near)
    far = np.maximum(value, _FAR)
    series, term = np.zeros_like(far), np.ones_like(far)
    for j in range(_TERMS):
        term = term * (nu / 2 + j) / far
        series -= term
    return np.asarray(np.where(value < _FAR, inside, series))


def self_similar_solution(alpha: float, beta: float, gamma: float) -> SelfSimilarSolution:
    """Return the late solution of a hard task in the rich regime.

    Parameters
    ----------
    alpha
        Capacity, > 1.
    beta
        Source, between 0 and 1.
    gamma
        Richness, > 0.
    """
    alpha, gamma = capacity(alpha), require_positive(gamma, "gamma")
    beta = real(beta, "beta", "give a source between 0 and 1; only hard tasks have this solution", above=0, below=1)
    nu = (1 - beta) / 2

    def error(x: float) -> float:
        return float(unlearned_fraction(x, nu))

    # In each integral what decays slowly at one end is taken off and integrated by hand.
    kernel = _integral(lambda x: x ** (beta - 2) * (1 - error(x)) ** 2, 0.0, 1.0)
    kernel += 1 / (1 - beta) + _integral(lambda x: x ** (beta - 2) * ((1 - error(x)) ** 2 - 1), 1.0, math.inf)
    loss = 1 / beta + _integral(lambda x: x ** (beta - 1) * (error(x) ** 2 - 1), 0.0, 1.0)
    loss += _integral(lambda x: x ** (beta - 1) * error(x) ** 2, 1.0, math.inf)
    decay = _integral(lambda x: x**beta * error(x) ** 2, 0.0, 1.0) + (nu / 2) ** 2 / (1 - beta)
    decay += _integral(lambda x: x**beta * (error(x) ** 2 - (nu / 2 / x) ** 2), 1.0, math.inf)
    half = float(brentq(lambda x: error(x) - 0.5, 1e-3, 10.0))
    return SelfSimilarSolution(
        alpha, beta, gamma, math.sqrt(gamma * kernel / alpha), loss / alpha, nu**2 * kernel / (4 * decay), half
    )


def limiting_scale(alpha: float, beta: float, gamma: float) -> float:
    """Late scale of the kernel of an easy task over the initial one, ``(1 + sqrt(1 + 4 gamma |w*|^2)) / 2``.

    It follows from ``s (s - 1) = gamma |w* - v0|^2`` when all of the target is learned.

    Parameters
    ----------
    alpha
        Capacity, > 1.
    beta
        Source; for ``beta <= 1`` the norm of the target and with it the result is infinite.
    gamma
        Richness, >= 0.
    """
    gamma = richness(gamma)
    norm = rkhs_norm_squared(alpha, beta)
    return 1.0 if gamma == 0 else (1 + math.sqrt(1 + 4 * gamma * norm)) / 2


def _integral(integrand: Callable[[float], float], low: float, high: float) -> float:
    """Integrate in log x; both ends of all integrands above fall off at least like the 1st power."""
    start = -40.0 if low == 0 else math.log(low)
    end = 40.0 if high == math.inf else math.log(high)
    value, _ = quad(lambda y: integrand(math.exp(y)) * math.exp(y), start, end, limit=400, epsrel=1e-10, epsabs=1e-12)
    return float(value)
