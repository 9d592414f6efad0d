"""Slow, obvious solutions of the order-parameter equations: one dense inverse per mode, iterated to a fixed point."""

from __future__ import annotations

import numpy as np

from oracles.causal import fixed_point, inverse


def dense_online(eigenvalues, target, eta, gamma, steps, width, batch, block=1):
    """Solve the equations of online SGD on steps 0 .. T and return C0, R3, C3, C_w.

    ``eta`` and ``batch`` may be given for each step.
    """
    lam, w2 = np.asarray(eigenvalues)[:, None, None], np.asarray(target)[:, None, None] ** 2
    eta, batch = (np.broadcast_to(np.asarray(one, float), steps + 1) for one in (eta, batch))

    def sweep(c0, c3, r3, _):
        rows = len(c0)
        eye, ones, rate = np.eye(rows), np.ones((rows, 1)), eta[:rows]
        theta = np.tril(np.ones_like(c0), -1) * rate
        s = inverse(eye - gamma * theta @ (np.tril(c3, -1) * rate)) @ theta
        c_w = s @ c3 @ s.T
        x = s + gamma * np.tril(c_w, -1) * rate
        noise = np.diag(np.diag(c0) / batch[:rows])
        h = inverse(eye + lam * (x @ r3))
        ht = h.transpose(0, 2, 1)
        signal = w2 * (ones @ ones.T) + x @ c3 @ x.T / width
        new_r3 = eye - (lam * h @ x @ r3).sum(0) / width
        new_c0 = (lam * h @ (signal + lam * (x @ r3 @ noise @ r3.T @ x.T)) @ ht).sum(0)
        c2 = (lam * h @ noise @ ht).sum(0) + (lam**2 * h @ signal @ ht).sum(0)
        return new_c0, new_r3 @ c2 @ new_r3.T, new_r3, c_w

    nothing, one = np.zeros((1, 1)), np.ones((1, 1))
    c0, c3, r3, c_w = fixed_point(sweep, (nothing, nothing, one, nothing), steps + 1, block)
    return c0, r3, c3, c_w


def convolution_infinite(eigenvalues, target, eta, gamma, steps):
    """Solve N, B -> infinity from the convolutions over the past (eq. 44, factors of eta corrected); return the loss."""
    lam, w = np.asarray(eigenvalues), np.asarray(target)
    v0, vw = np.zeros((steps + 1, lam.size)), np.zeros((steps + 1, lam.size))
    loss = np.zeros(steps + 1)
    for t in range(steps + 1):
        v0[t] = w - vw[t]
        for s in range(t):
            v0[t] -= eta * gamma * lam * (vw[t] @ vw[s]) * v0[s]
        loss[t] = np.sum(lam * v0[t] ** 2)
        if t < steps:
            vw[t + 1] = vw[t] + eta * lam * v0[t]
            for s in range(t):
                vw[t + 1] += eta**2 * gamma * np.sum(lam**2 * v0[t] * v0[s]) * vw[s]
    return loss
