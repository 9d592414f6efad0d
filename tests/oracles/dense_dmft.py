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
