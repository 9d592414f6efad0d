"""Simulation as the paper writes it (eq. 4): all M features, a real minibatch every step, A(t) stored in full."""

from __future__ import annotations

import numpy as np


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
