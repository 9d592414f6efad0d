r"""Leading corrections in 1/N and eta/B of the lazy dynamics, in closed form.

Gradient flow at gamma = 0. To first order in 1/N the response is ``R3 = delta - (1/N) sum_l lambda_l exp(-lambda_l (t-s))``
and the noise ``u4`` has the covariance ``C2(t, s)/N = (1/N) sum_l (lambda_l w*_l)^2 exp(-lambda_l (t+s))``. Put into
eqs. 26 they give, with :math:`E_l = e^{-\lambda_l t}`,

.. math::
    L = \sum_k \lambda_k (w^*_k)^2 E_k^2 + \frac1N \sum_{kl} \Big[ 2 \lambda_k^2 (w^*_k)^2 \lambda_l E_k\, g_{kl}
        + \lambda_k \lambda_l^2 (w^*_l)^2 d_{kl}^2 \Big], \qquad d_{kl} = \int_0^t e^{-\lambda_k (t-s) - \lambda_l s} ds,

where ``g_kl`` is the integral over s of ``(t-s) exp(-lambda_k (t-s) - lambda_l s)``. The noise of SGD adds
``(eta/B) sum_kl lambda_k^2 lambda_l (w*_l)^2 int_0^t exp(-2 lambda_k (t-s) - 2 lambda_l s) ds``.
"""

from __future__ import annotations

import numpy as np

from neural_scaling.base.arrays import Array
from neural_scaling.spectra import ModeQuadrature


def width_correction(quadrature: ModeQuadrature, time: Array) -> Array:
    """Coefficient of 1/N in the loss at gamma = 0."""
    nodes, weights, targets = quadrature.nodes, quadrature.weights, quadrature.target_weights
    values = []
    for t in time:
        fall = np.exp(-nodes * t)
        once, twice = _overlaps(nodes, float(t))
        response = 2 * (targets * nodes**2 * fall) @ twice @ (weights * nodes)
        noise = (weights * nodes) @ once**2 @ (targets * nodes**2)
        values.append(response + noise)
    return np.array(values)


def batch_correction(quadrature: ModeQuadrature, time: Array) -> Array:
    """Coefficient of eta/B in the loss at gamma = 0."""
    nodes, weights, targets = quadrature.nodes, quadrature.weights, quadrature.target_weights
    return np.array([(weights * nodes**2) @ _overlaps(2 * nodes, float(t))[0] @ (targets * nodes) for t in time])


def _overlaps(rates: Array, t: float) -> tuple[Array, Array]:
    """Return the integrals over s in (0, t) of ``exp(-a (t-s) - b s)`` and of ``(t-s)`` times it, for all pairs a, b."""
    a, b = rates[:, None], rates[None, :]
    x = (a - b) * t  # exp(-a (t-s) - b s) = exp(-b t) exp(-(a-b) (t-s))
    near = np.abs(x) < 1e-3
    safe = np.where(near, 1.0, x)
    # Of the two equal forms the one whose exponentials do not overflow; where a = b their series.
    fall_a, fall_b = np.exp(-a * t), np.exp(-b * t)
    once = np.where(near, fall_b * (1 - x / 2 + x**2 / 6), (fall_b - fall_a) / safe)
    twice = np.where(near, fall_b * (0.5 - x / 3 + x**2 / 8), (fall_b - fall_a * (1 + x)) / safe**2)
    return t * once, t**2 * twice
