r"""How the noise of a batch decays on times short compared with the age of the dynamics.

On such times the features do not move and the kernel is :math:`x\,\Lambda^{1/2} A^T A \Lambda^{1/2} / N` with the scale
``x`` that it has reached. A push of the weights by the noise of a batch then adds to the loss

.. math::  \frac{\eta}{B} L(s)\, x^2\, \mathcal K(x (\tau - s)), \qquad
           \mathcal K(a) = \mathbb E\,\mathrm{Tr}\, W^2 e^{-2 W a}, \qquad W = \Lambda^{1/2} A^T A \Lambda^{1/2} / N,

where the trace is over the spectrum of W, known from its resolvent
:math:`\mathbb E\,\mathrm{Tr}\,W (p + W)^{-1} = N (1 - r_3(p))`.
At gamma = 0 this is exact for all times. For use inside a cell the spectrum is represented by a few rates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.optimize import nnls

from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import require
from neural_scaling.dmft.grid import RADAU_MATRIX, RADAU_NODES
from neural_scaling.spectra import ModeQuadrature

_RATES_PER_DECADE = 24
_ANGLES = (0.0, 0.3 * np.pi, 0.5 * np.pi, 0.65 * np.pi)
#: Largest relative error of the represented resolvent on the rays where it is fitted.
_LARGEST_MISFIT = 5e-3
_EXCHANGES = 100  # of each rate in the fit of positive weights


@dataclass(frozen=True)
class RelaxationRates:
    """Rates mu_j and weights u_j with ``E Tr W exp(-W t) = sum_j u_j exp(-mu_j t)``, each of shape (J,)."""

    rates: Array
    weights: Array


def spectrum_of_projection(quadrature: ModeQuadrature, per_width: float, horizon: float) -> RelaxationRates:
    """Return the spectrum of ``W``, weighted by its eigenvalues, as a few rates."""
    nodes, weights = quadrature.nodes, quadrature.weights * quadrature.nodes
    if not per_width:
        return RelaxationRates(nodes, weights)
    largest = 2 * nodes[0] + 4 * per_width * weights.sum()
    slowest = min(0.01 / horizon, 0.1 * largest)
    rates = np.geomspace(slowest, largest, round(_RATES_PER_DECADE * np.log10(largest / slowest)))
    z = np.geomspace(0.1 / largest, 0.1 / slowest, 2 * rates.size)
    columns, values = [], []
    for angle in _ANGLES:
        # p = r(z) / z with z on a ray: the resolvent is known without solving for it.
        ray = z * np.exp(-1j * angle)
        trace = (1 / (1 / ray[:, None] + nodes)) @ weights
        response = 1 - per_width * trace
        p = response / ray
        # Following the ray, p leaves the plane at the cut that is the spectrum; what comes after is on another sheet.
        kept = np.cumprod((np.abs(np.angle(p)) < 0.9 * np.pi) & (np.abs(p) > 0)).astype(bool)
        scale = 1 / np.abs(trace[kept])
        columns.append((1 / (p[kept, None] + rates)) * scale[:, None])
        values.append(trace[kept] * scale)
    matrix, value = np.concatenate(columns), np.concatenate(values)
    # With gaps in the spectrum, as with more features than modes, rates leave and come back more than three times each.
    fitted, _ = nnls(
        np.concatenate([matrix.real, matrix.imag]),
        np.concatenate([value.real, value.imag]),
        maxiter=_EXCHANGES * rates.size,
    )
    misfit = float(np.max(np.abs(matrix @ fitted - value)))
    require(
        misfit <= _LARGEST_MISFIT,
        "width",
        f"got {1 / per_width:g}, at which the noise of small batches in continuous time is known to {misfit:.2g} of it only",
        "this happens where N is the number of modes: take another N, or unit steps",
    )
    present = fitted > 0
    return RelaxationRates(rates[present], fitted[present])


@dataclass(frozen=True)
class CellNoise:
    """What white noise within a cell does at its rows beyond what it does on the grid.

    On the grid this noise is a polynomial in the cell. That gives its integral right, so that it acts on later cells as it
    should, but neither its variance nor an integral that ends inside the cell.
    """

    loss: Array  # to the loss, for noise of unit strength at the rows of the cell, shape (s, s)
    # to the weights of an integral with C_3(t, .), shape (s, s): a push is taken back by the gradients that follow
    recoil: Array
    drift: Array  # to the weights of an integral with C_w(t, .), shape (s, s)
    weight_norm: Array  # to the diagonal of C_w, shape (s,)


def cell_noise(spectrum: RelaxationRates, width: float, scale: float, strength: Array) -> CellNoise:
    """Return the action of white noise within a cell, less that on the grid.

    With ``kappa = mu x`` each direction relaxes as an Ornstein-Uhlenbeck process: for ``s < t`` since the start of the cell
    ``<w w> = (e^{-kappa (t-s)} - e^{-kappa (t+s)}) / 2 kappa``, ``<v_3 v_3> = -(kappa/2) (e^{-kappa (t-s)} + e^{-kappa (t+s)})``.
    """
    rate = scale * spectrum.rates[:, None]  # (J, 1)
    since = width * RADAU_NODES
    within = width * RADAU_MATRIX
    (back, double), (forth, _) = _relaxation_weights(width * np.stack([rate, 2 * rate]))
    decayed = np.exp(-rate * since)[:, :, None] * forth
    # (back - decayed) / kappa loses its digits where the rate is small; there it is a smooth integral.
    slow = rate * width < 1e-3
    safe = np.where(slow, 1.0, rate)
    drift = np.where(slow[:, :, None], 2 * width * _FIRST_MOMENT, (back - decayed) / safe[:, :, None])
    norm = np.where(slow, since, -np.expm1(-2 * rate * since) / (2 * safe))
    # The same on the grid: H of a direction is (1 + kappa W)^-1, and white noise has a variance of one over the weight of a row.
    unlearned = _unlearned(rate, width)
    felt = spectrum.weights[:, None, None] * unlearned * (strength / within[-1])
    of_weights = within @ np.tensordot(felt, unlearned, axes=([0, 2], [0, 2])) @ within.T

    def summed(parts: Array) -> Array:
        return np.asarray(np.tensordot(spectrum.weights, parts, axes=1))

    return CellNoise(
        loss=scale * summed(_beyond_the_grid(rate, width, double, unlearned)),
        recoil=-width / 2 * summed(rate[:, :, None] * (back + decayed)) * strength,
        drift=width / 2 * summed(drift) * strength,
        weight_norm=summed(norm) * strength - np.diag(of_weights),
    )


def mode_noise(rate: Array, width: float) -> Array:
    """Return ``kappa int e^{-2 kappa (t-s)} f(s) ds`` within a cell, for f at its rows, less what it is on the grid."""
    return _beyond_the_grid(rate, width, _relaxation_weights(2 * rate * width)[0], _unlearned(rate, width))


def _unlearned(rate: Array, width: float) -> Array:
    return np.asarray(np.linalg.inv(np.eye(3) + rate[:, :, None] * width * RADAU_MATRIX))


def _beyond_the_grid(rate: Array, width: float, double: Array, unlearned: Array) -> Array:
    """Return :func:`mode_noise` from the weights of twice the rate."""
    of_grid = (np.eye(3) - unlearned) ** 2 / (width * RADAU_MATRIX[-1])
    return np.asarray(width * rate[:, :, None] * double - of_grid / rate[:, :, None])


def _relaxation_weights(rate: Array) -> tuple[Array, Array]:
    """Return weights of ``int_0^c e^{-rate (c-u)} f(u) du`` and ``int_0^c e^{-rate u} f(u) du`` in a cell of unit width.

    Exact for quadratic f given at the rows ``c`` of the cell; ``rate``, shape (..., 3), belongs to the upper limits.
    """
    upto = rate * RADAU_NODES
    # Moments of e^{-x (1-v)} and e^{-x v} on (0, 1): by recursion where that is stable, by Gauss-Legendre elsewhere.
    large = np.maximum(upto, 3.0)
    decay, inverse = np.exp(-large), 1 / large
    back = forth = (1 - decay) * inverse
    backs, forths = [back], [forth]
    for n in (1, 2):
        backs.append((1 - n * backs[-1]) * inverse)
        forths.append((n * forths[-1] - decay) * inverse)
    recursive = np.stack([*backs, *forths], axis=-1)
    moments = np.where(upto[..., None] < 3.0, np.exp(-np.minimum(upto, 3.0)[..., None] * _POINTS) @ _POWERS, recursive)
    powers = RADAU_NODES[:, None] ** np.arange(1, 4)  # int_0^c u^n du has n + 1 powers of c
    return moments[..., :3] * powers @ _TO_VALUES, moments[..., 3:] * powers @ _TO_VALUES


_POINTS, _POINT_WEIGHTS = (leggauss(12)[0] + 1) / 2, leggauss(12)[1] / 2
#: Gauss-Legendre weights of the moments of order 0, 1 and 2 of a function of 1 - v and of one of v.
_POWERS = (
    np.array([*((1 - _POINTS) ** n for n in range(3)), *(_POINTS**n for n in range(3))]).T * _POINT_WEIGHTS[:, None]
)
_TO_VALUES = np.linalg.inv(np.vander(RADAU_NODES, 3, increasing=True))
#: Weights of ``int_0^c u f(u) du`` within a cell.
_FIRST_MOMENT = RADAU_NODES[:, None] ** np.arange(2, 5) / np.arange(2, 5) @ _TO_VALUES
