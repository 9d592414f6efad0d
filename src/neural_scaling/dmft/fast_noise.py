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
    share = spectrum.weights[:, None, None]
    since = width * RADAU_NODES
    within = width * RADAU_MATRIX
    back, forth = _relaxation_weights(width * rate)
    decayed = np.exp(-rate * since)[:, :, None] * forth
    # (back - decayed) / kappa loses its digits where the rate is small; there it is a smooth integral.
    slow = rate * width < 1e-3
    safe = np.where(slow, 1.0, rate)
    drift = np.where(slow[:, :, None], 2 * width * _FIRST_MOMENT, (back - decayed) / safe[:, :, None])
    norm = np.where(slow, since, -np.expm1(-2 * rate * since) / (2 * safe))
    # The same on the grid: H of a direction is (1 + kappa W)^-1, and white noise has a variance of one over the weight of a row.
    unlearned = np.linalg.inv(np.eye(3) + rate[:, :, None] * within)
    felt = np.einsum("jsl,l,jrl->jsr", unlearned, strength / within[-1], unlearned)
    correlation = np.sum(share * felt, axis=0)
    of_weights = within @ correlation @ within.T
    return CellNoise(
        loss=scale * np.sum(share * mode_noise(rate, width), axis=0),
        recoil=-width / 2 * np.sum(share * rate[:, :, None] * (back + decayed), axis=0) * strength,
        drift=width / 2 * np.sum(share * drift, axis=0) * strength,
        weight_norm=np.sum(share[:, :, 0] * norm, axis=0) * strength - np.diag(of_weights),
    )


def mode_noise(rate: Array, width: float) -> Array:
    """Return ``kappa int e^{-2 kappa (t-s)} f(s) ds`` within a cell, for f at its rows, less what it is on the grid."""
    within = width * RADAU_MATRIX
    learned = np.eye(3) - np.linalg.inv(np.eye(3) + rate[:, :, None] * within)
    exact = width * rate[:, :, None] * _relaxation_weights(2 * rate * width)[0]
    return np.asarray(exact - learned**2 / within[-1] / rate[:, :, None])


def _relaxation_weights(rate: Array) -> tuple[Array, Array]:
    """Return weights of ``int_0^c e^{-rate (c-u)} f(u) du`` and ``int_0^c e^{-rate u} f(u) du`` in a cell of unit width.

    Exact for quadratic f given at the rows ``c`` of the cell; ``rate``, shape (..., 3), belongs to the upper limits.
    """
    upto = rate * RADAU_NODES
    large = np.maximum(upto, 3.0)
    decay = np.exp(-large)
    # Moments of e^{-x (1-v)} and e^{-x v} on (0, 1): by recursion where that is stable, by Gauss-Legendre elsewhere.
    small = np.exp(-np.minimum(upto, 3.0)[..., None] * _POINTS) * _POINT_WEIGHTS
    back = forth = -np.expm1(-large) / large
    backs, forths = [], []
    for n in range(3):
        backs.append(np.where(upto < 3.0, small @ (1 - _POINTS) ** n, back))
        forths.append(np.where(upto < 3.0, small @ _POINTS**n, forth))
        back = (1 - (n + 1) * back) / large
        forth = ((n + 1) * forth - decay) / large
    powers = RADAU_NODES[:, None] ** np.arange(1, 4)  # int_0^c u^n du has n + 1 powers of c
    return np.stack(backs, axis=-1) * powers @ _TO_VALUES, np.stack(forths, axis=-1) * powers @ _TO_VALUES


_POINTS, _POINT_WEIGHTS = (leggauss(12)[0] + 1) / 2, leggauss(12)[1] / 2
_TO_VALUES = np.linalg.inv(np.vander(RADAU_NODES, 3, increasing=True))
#: Weights of ``int_0^c u f(u) du`` within a cell.
_FIRST_MOMENT = RADAU_NODES[:, None] ** np.arange(2, 5) / np.arange(2, 5) @ _TO_VALUES
