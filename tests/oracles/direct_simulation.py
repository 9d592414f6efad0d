"""Simulation as the paper writes it (eq. 4): all M features, a real minibatch every step, A(t) stored in full."""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp


def direct_losses(spectrum, a0, eta, gamma, steps, batch=None, random=None, samples=None):
    """Return the loss on steps 0 .. T for the initial projection ``a0`` (N x M).

    No ``batch`` means the population, or full batches of ``samples`` drawn once.
    """
    lam, w_star = spectrum.eigenvalues, spectrum.target
    width = a0.shape[0]
    projection = a0.T @ a0 / width
    a, w, losses = a0.copy(), np.zeros(width), []
    reused = None if samples is None else random.normal(size=(samples, lam.size)) * np.sqrt(lam)
    for _ in range(steps + 1):
        v0 = w_star - a.T @ w / width
        losses.append(np.sum(lam * v0**2))
        if reused is not None:
            v2 = reused.T @ (reused @ v0) / samples
        elif batch is None:
            v2 = lam * v0
        else:
            psi = random.normal(size=(batch, lam.size)) * np.sqrt(lam)
            v2 = psi.T @ (psi @ v0) / batch
        a, w = a + eta * gamma * np.outer(w, v2 @ projection), w + eta * a @ v2
    return np.array(losses)


def direct_flow(spectrum, gamma, time):
    """Return loss and ``|w|^2/N`` of gradient flow on the population with as many orthogonal features as modes: no projection."""
    lam, w_star = spectrum.eigenvalues, spectrum.target
    modes = lam.size
    start = np.sqrt(modes) * np.eye(modes)  # A(0)^T A(0) / N = 1

    def split(packed):
        return packed[:modes], packed[modes:].reshape(modes, modes)

    def slope(_, packed):
        w, a = split(packed)
        v2 = lam * (w_star - a.T @ w / modes)
        return np.concatenate([a @ v2, gamma * np.outer(w, v2).ravel()])

    packed = np.concatenate([np.zeros(modes), start.ravel()])
    found = solve_ivp(slope, (0, time[-1]), packed, "DOP853", time, rtol=1e-11, atol=1e-13).y.T
    losses = [np.sum(lam * (w_star - a.T @ w / modes) ** 2) for w, a in map(split, found)]
    return np.array(losses), np.sum(found[:, :modes] ** 2, axis=1) / modes
