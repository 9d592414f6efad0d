"""Online SGD with the fourth moments of a Gaussian batch: one dense inverse per mode, iterated to a fixed point."""

from __future__ import annotations

import numpy as np

from oracles.causal import fixed_point, inverse


def dense_fourth_moment(eigenvalues, target, eta, gamma, steps, width, batch, block=1):
    """Return loss, R3, C3, C_w on steps 0 .. T; the noise of mode k at a step has variance ``lambda_k (C0 + lambda_k V_k) / B``.

    ``eta`` and ``batch`` may be given for each step.
    """
    lam, w2 = np.asarray(eigenvalues)[:, None, None], np.asarray(target)[:, None, None] ** 2
    eta, batch = (np.broadcast_to(np.asarray(one, float), steps + 1) for one in (eta, batch))

    def sweep(v, c3, r3, _):
        rows = len(c3)
        eye, ones, rate = np.eye(rows), np.ones((rows, 1)), eta[:rows]
        theta = np.tril(np.ones_like(c3), -1) * rate
        s = inverse(eye - gamma * theta @ (np.tril(c3, -1) * rate)) @ theta
        c_w = s @ c3 @ s.T
        x = s + gamma * np.tril(c_w, -1) * rate
        noise = lam / batch[:rows] * ((lam * v).sum(0) + lam * v) * eye
        h = inverse(eye + lam * (x @ r3))
        ht = h.transpose(0, 2, 1)
        signal = w2 * (ones @ ones.T) + x @ c3 @ x.T / width
        new_v = h @ (signal + x @ r3 @ noise @ r3.T @ x.T) @ ht
        c2 = (h @ noise @ ht + lam**2 * h @ signal @ ht).sum(0)
        return new_v, r3 @ c2 @ r3.T, eye - (lam * h @ x @ r3).sum(0) / width, c_w

    nothing, one = np.zeros((1, 1)), np.ones((1, 1))
    start = (np.zeros((len(lam), 1, 1)), nothing, one, nothing)
    v, c3, r3, c_w = fixed_point(sweep, start, steps + 1, block)
    return np.einsum("ktt,k->t", v, lam[:, 0, 0]), r3, c3, c_w
