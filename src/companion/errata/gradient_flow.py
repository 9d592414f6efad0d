"""Gradient flow at infinite width and batch (eqs. 51-52), with the state that the book's other pages do not need."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.integrate import solve_ivp
from threadpoolctl import threadpool_limits

from neural_scaling.base.arrays import Array
from neural_scaling.dmft import DynamicsDiverged
from neural_scaling.spectra import ModeQuadrature, PowerLaw


@dataclass(frozen=True)
class Flow:
    """Solution at given times."""

    quadrature: ModeQuadrature  # modes, K nodes
    time: Array  # eta*steps, shape (T,)
    error: Array  # v0_k / w*_k, shape (T, K)
    weight_norm: Array  # C_w = |w|^2 / N, shape (T,)
    spike: Array  # (A^T A / N - I)_kl / (w*_k w*_l), shape (T, K, K)


@cache
def solve_flow(alpha: float, beta: float, gamma: float, times: tuple[float, ...]) -> Flow:
    """Integrate eq. 51."""
    growth = 1 + 2 * gamma * times[-1] ** max(0.0, 1 - beta)
    quadrature = PowerLaw(alpha, beta).quadrature(times[-1] * growth)
    nodes, targets = quadrature.nodes, quadrature.target_weights
    size = nodes.size

    def slope(_: float, state: Array) -> Array:
        error, weight_norm, spike = state[:size], state[size], state[size + 1 :].reshape(size, size)
        pull = nodes * error
        fall = -(pull + spike @ (targets * pull) + gamma * weight_norm * pull)
        growing = np.outer(1 - error, pull)
        growth = 2 * float(targets @ ((1 - error) * pull))
        return np.concatenate([fall, [growth], (gamma * (growing + growing.T)).ravel()])

    start = np.concatenate([np.ones(size), np.zeros(1 + size * size)])
    # Matrices this small are not worth sharing between threads.
    with threadpool_limits(1):
        result = solve_ivp(slope, (0.0, times[-1]), start, method="DOP853", t_eval=times, rtol=1e-9, atol=1e-13)
    if not result.success:
        raise DynamicsDiverged(f"gradient flow could not be integrated: {result.message}")
    y = result.y.T
    return Flow(quadrature, np.array(times), y[:, :size], y[:, size], y[:, size + 1 :].reshape(len(y), size, size))
