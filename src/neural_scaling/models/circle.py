r"""Functions on the circle with power-law Fourier series (eq. 13): :math:`y(\theta) = \sum_{k \ge 1} k^{-q} \cos k\theta`.

The sum is the real part of the polylogarithm :math:`{\rm Li}_q(e^{i\theta})`. All its terms are summed, not the first few: with
:math:`0 < \theta \le \pi`

.. math::
    y(\theta) = \frac{\pi}{2\,\Gamma(q) \cos(\pi q/2)}\, \theta^{q-1}
        + \sum_{n \ge 0} (-1)^n \frac{\zeta(q - 2n)}{(2n)!}\, \theta^{2n},

which converges like 4^(-n). At odd q the first term and one term of the sum are infinite and cancel, leaving a logarithm.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import factorial, psi, zeta

from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import array, real, require, require_positive, whole

__all__ = ["decay", "source", "tail", "target", "variance"]

_TERMS = 28  # (1/2)^(2 * 28) is below the rounding of float64
_ODD = 1e-9  # q closer to an odd number is taken as odd


def source(q: float, power: float = 1.0) -> float:
    """Return the source ``beta = (2q - 1)/(2 q_phi)`` of the target for networks with activation ``[h]_+^power`` (eq. 14).

    Parameters
    ----------
    q
        Decay of the Fourier coefficients, above 1/2.
    power
        q_phi.
    """
    return (2 * _checked(q) - 1) / (2 * require_positive(power, "power"))


def decay(beta: float, power: float = 1.0) -> float:
    """Return the decay ``q = beta q_phi + 1/2`` of the Fourier coefficients that gives a source (eq. 14).

    Parameters
    ----------
    beta
        Source, positive.
    power
        q_phi.
    """
    beta = require_positive(beta, "beta", "give a positive source: otherwise the target has infinite variance")
    return beta * require_positive(power, "power") + 0.5


def variance(q: float) -> float:
    """Return the mean of ``y^2`` over the circle, ``zeta(2q)/2``."""
    return float(zeta(2 * _checked(q))) / 2


def tail(q: float, first: int) -> float:
    """Return what the terms from k = ``first`` on add to the variance, ``sum k^(-2q)/2``."""
    return float(zeta(2 * _checked(q), whole(first, "first"))) / 2


def target(theta: ArrayLike, q: float) -> Array:
    """Evaluate y.

    Parameters
    ----------
    theta
        Angles, any shape and any range; for q <= 1, where y is infinite at 0, no multiples of 2 pi.
    q
        Decay of the coefficients, above 1/2 (below, y has no variance).

    Returns
    -------
    Array
        Values in float64, to about 1e-14 of the largest term, the shape of ``theta``.

    Raises
    ------
    InputError
        If q is out of range, or y is infinite at an angle.
    """
    q = _checked(q)
    angle = np.abs(np.remainder(array(theta, "theta", axes=None) + math.pi, 2 * math.pi) - math.pi)
    require(
        q > 1 or bool(np.all(angle > 0)), "theta", f"has an angle 0, where y is infinite at q = {q:g}", "leave it out"
    )
    orders = np.arange(_TERMS)
    signs = 1.0 - 2.0 * (orders % 2)
    odd = abs(q - round(q)) < _ODD and round(q) % 2 == 1
    pole = (round(q) - 1) // 2 if odd else -1
    coefficients = signs * np.array([0.0 if n == pole else _zeta(q - 2 * n) for n in orders]) / factorial(2 * orders)
    with np.errstate(divide="ignore", invalid="ignore"):
        if odd:
            order = 2 * pole
            harmonic = float(psi(order + 1)) + np.euler_gamma
            singular = signs[pole] / factorial(order) * angle**order * (harmonic - np.log(angle))
            singular = np.where(angle > 0, singular, 0.0)
        else:
            singular = math.pi / (2 * math.gamma(q) * _cosine(q)) * angle ** (q - 1)
    return np.asarray(np.polynomial.polynomial.polyval(angle**2, coefficients) + singular)


def _cosine(q: float) -> float:
    """Return ``cos(pi q/2)``, accurate where it nearly vanishes."""
    nearest = 2 * round((q - 1) / 2) + 1
    return -math.sin(math.pi * nearest / 2) * math.sin(math.pi * (q - nearest) / 2)


def _zeta(s: float) -> float:
    """Return Riemann's zeta function at any real s but 1."""
    if s > 1:
        return float(zeta(s))
    if s == 0:
        return -0.5
    # The functional equation leads from s < 0 to 1 - s > 1; between 0 and 1 a sum with alternating signs converges.
    if s > 0:
        return _alternating(s) / (1 - 2 ** (1 - s))
    factor: float = 2**s * math.pi ** (s - 1) * math.sin(math.pi * s / 2)
    return factor * math.gamma(1 - s) * _zeta(1 - s)


def _alternating(s: float) -> float:
    """Return ``sum (-1)^(n+1) n^-s`` for s > 0 by the acceleration of Cohen, Rodriguez Villegas and Zagier."""
    count = 40
    d = ((3 + math.sqrt(8)) ** count + (3 - math.sqrt(8)) ** count) / 2
    b, c, total = -1.0, -d, 0.0
    for n in range(count):
        c = b - c
        total += c * (n + 1) ** -s
        b *= (n + count) * (n - count) / ((n + 0.5) * (n + 1))
    return total / d


def _checked(q: float) -> float:
    return real(q, "q", "give a decay above 1/2: otherwise the target has infinite variance", above=0.5)
