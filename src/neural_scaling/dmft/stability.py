"""Step sizes that can and cannot work, and what to say when the dynamics diverges."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.optimize import brentq

from neural_scaling.base import checks
from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import require, require_positive
from neural_scaling.dmft.diverged import DIVERGED, DynamicsDiverged
from neural_scaling.dmft.flow import kernel_flow
from neural_scaling.dmft.grid import TimeGrid
from neural_scaling.spectra import ModeQuadrature, PowerLaw, Spectrum, as_quadrature

_COARSE = 64  # modes that are enough to see how far the kernel grows


def check_dynamics(
    quadrature: ModeQuadrature, eta: float, gamma: float, steps: int, width: float, batch: float
) -> tuple[float, float, int, float, float]:
    """Return eta, gamma, steps, width and batch in their internal form; refuse settings that no run can use."""
    eta = require_positive(eta, "eta", "give a positive learning rate")
    gamma = richness(gamma)
    steps = checks.whole(steps, "steps")
    width, batch = checks.count(width, "width"), checks.count(batch, "batch")
    largest = float(quadrature.nodes[0])
    # What to try instead takes a solution of gradient flow: only when it is needed.
    if eta * largest >= 2:
        problem = f"gradient descent on the largest eigenvalue {largest:g} is unstable from {2 / largest:.4g}"
        remedy = f"take eta <= {suggested_eta(quadrature, gamma, eta * steps, width, batch):.2g}"
        require(False, "eta", f"got {eta!r}, but {problem}", remedy)
    if batch < math.inf and (stability := mean_square_stability(quadrature, eta, batch)) >= 1:
        problem = f"where SGD noise feeds on itself (mean-square stability {stability:.3g} >= 1)"
        remedy = f"take eta <= {suggested_eta(quadrature, gamma, eta * steps, width, batch):.2g} or a larger batch"
        require(False, "eta", f"got {eta!r} at batch {batch:g}, {problem}", remedy)
    return eta, gamma, steps, width, batch


def richness(gamma: float) -> float:
    """Return gamma as ``float``, or refuse it."""
    return checks.real(gamma, "gamma", "the richness must be zero (lazy) or positive", least=0.0)


def check_setting(
    quadrature: ModeQuadrature, grid: TimeGrid, gamma: float, width: float, batch: float, samples: float
) -> tuple[float, float, float, float]:
    """Return gamma, width, batch and samples in their internal form; refuse settings that no run of ``solve`` can use."""
    width, batch, samples = (
        checks.count(value, name) for value, name in ((width, "width"), (batch, "batch"), (samples, "samples"))
    )
    require(
        samples == math.inf or batch == math.inf,
        "samples",
        f"got {samples:g} together with batch {batch:g}",
        "the theory knows fresh batches (finite batch) or full-batch descent on reused samples (finite samples), not both",
    )
    gamma = richness(gamma)
    if grid.explicit:
        check_dynamics(quadrature, grid.eta, gamma, grid.rows - 1, width, batch)
    elif batch < math.inf:
        # A step of gradient flow is never too long: only the noise, of strength eta/B, can be too strong.
        noise = grid.eta / batch * quadrature.trace / 2
        require(
            noise < 1,
            "eta",
            f"got {grid.eta!r} at batch {batch:g}, where SGD noise feeds on itself "
            f"(eta/B times half the trace is {noise:.3g} >= 1)",
            f"take eta <= {grid.eta / noise / 2:.3g} or a larger batch",
        )
    return gamma, width, batch, samples


def mean_square_stability(modes: PowerLaw | Spectrum | ModeQuadrature, eta: float, batch: float) -> float:
    """Return the mean-square-stability number of lazy SGD at infinite width; the loss stays bounded below 1.

    For Gaussian features the second moments ``m_k = <v0_k^2>`` obey
    ``m_k' = (1 - eta lambda_k)^2 m_k + (eta^2/B) (lambda_k sum_l lambda_l m_l + lambda_k^2 m_k)``, whose fixed point
    is attractive if and only if ``sum_k (eta lambda_k/B) / (2 - eta lambda_k (1 + 1/B)) < 1``.

    Parameters
    ----------
    modes
        Modes of the kernel.
    eta
        Learning rate.
    batch
        Batch size B.

    Returns
    -------
    float
        The sum above; ``inf`` if a denominator is not positive, 0 at infinite batch.
    """
    # The sum is over smooth functions of the eigenvalue; no time is involved.
    quadrature = as_quadrature(modes, "modes", 1.0)
    eta = require_positive(eta, "eta", "give a positive learning rate")
    batch = checks.count(batch, "batch")
    denominator = 2 - eta * quadrature.nodes * (1 + 1 / batch)
    if np.any(denominator <= 0):
        return math.inf
    return float(quadrature.weights @ (eta * quadrature.nodes / batch / denominator))


def largest_stable_eta(modes: PowerLaw | Spectrum | ModeQuadrature, batch: float) -> float:
    """Return the learning rate at which lazy SGD at infinite width loses mean-square stability.

    Parameters
    ----------
    modes
        Modes of the kernel.
    batch
        Batch size B; ``math.inf`` gives the bound of gradient descent, ``2 / lambda_1``.

    Returns
    -------
    float
        Where :func:`mean_square_stability` reaches 1.
    """
    quadrature = as_quadrature(modes, "modes", 1.0)
    batch = checks.count(batch, "batch")
    highest = 2 / (float(quadrature.nodes[0]) * (1 + 1 / batch))
    if math.isinf(batch):
        return highest

    def excess(eta: float) -> float:
        return min(mean_square_stability(quadrature, eta, batch), 2.0) - 1

    return float(brentq(excess, 1e-9 * highest, (1 - 1e-12) * highest))


def suggested_eta(
    quadrature: ModeQuadrature, gamma: float, time: float, width: float = math.inf, batch: float = math.inf
) -> float:
    """Return a learning rate at which the kernel, grown as it will be by ``time``, stays below half its bounds of stability."""
    few = replace(_coarse(quadrature), horizon=math.inf)  # a few per cent are near enough
    flow = kernel_flow(few, gamma, np.append(0.0, np.geomspace(1e-4 * time, time, 32)))
    largest = float(flow.sharpness.max())
    growth = largest / float(few.nodes[0]) * (1 + quadrature.trace / float(quadrature.nodes[0]) / width)
    grown = ModeQuadrature(growth * quadrature.nodes, quadrature.weights, quadrature.target_weights)
    eta = 1 / float(grown.nodes[0])
    while mean_square_stability(grown, eta, batch) > 0.5:
        eta /= 2
    return eta


def _coarse(quadrature: ModeQuadrature) -> ModeQuadrature:
    """Return a few modes with the same trace and loss: nodes in geometric bins put together."""
    nodes = quadrature.nodes
    if nodes.size <= _COARSE:
        return quadrature
    edges = np.geomspace(nodes[0], nodes[-1], _COARSE)[::-1]
    groups = np.searchsorted(edges, nodes)
    weights = np.bincount(groups, quadrature.weights).astype(np.float64)
    targets = np.bincount(groups, quadrature.target_weights).astype(np.float64)
    sums = np.bincount(groups, quadrature.weights * nodes).astype(np.float64)
    full = np.flatnonzero(weights > 0)[::-1]
    return ModeQuadrature(sums[full] / weights[full], weights[full], targets[full])


def check_finite(
    loss: Array, quadrature: ModeQuadrature, eta: float, gamma: float, width: float = math.inf, batch: float = math.inf
) -> None:
    """Raise :class:`DynamicsDiverged` at the first loss that is not finite or exceeds 1e6 times the first."""
    # Written so that NaN counts as exceeding.
    bad = np.flatnonzero(~(loss <= DIVERGED * loss[0]))
    if bad.size:
        stable = min(eta / 2, suggested_eta(quadrature, gamma, eta * loss.size, width, batch))
        raise DynamicsDiverged(
            f"the dynamics diverges at step {bad[0]} with eta = {eta:g}; the kernel grew past its edge of stability: "
            f"try eta <= {stable:.2g}, or a smaller gamma."
        )
