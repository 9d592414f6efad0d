"""Online SGD with the fourth moments of a Gaussian batch: one dense inverse per mode, iterated to a fixed point."""

from __future__ import annotations

import numpy as np


def dense_fourth_moment(eigenvalues, target, eta, gamma, steps, width, batch):
    """Return the loss on steps 0 .. T; the noise of mode k at a step has variance ``lambda_k (C0 + lambda_k V_k) / B``."""
    assert steps <= 64 and len(eigenvalues) <= 80, "the oracle is for small problems"
    lam, w2 = np.asarray(eigenvalues)[:, None, None], np.asarray(target)[:, None, None] ** 2

    def sweep(v, c3, r3):
        eye, ones = np.eye(len(c3)), np.ones((len(c3), 1))
        theta = eta * np.tril(np.ones_like(c3), -1)
        s = np.linalg.inv(eye - eta * gamma * theta @ np.tril(c3, -1)) @ theta
        x = s + eta * gamma * np.tril(s @ c3 @ s.T, -1)
        noise = lam / batch * ((lam * v).sum(0) + lam * v) * eye
        h = np.linalg.inv(eye + lam * (x @ r3))
        ht = h.transpose(0, 2, 1)
        signal = w2 * (ones @ ones.T) + x @ c3 @ x.T / width
        new_v = h @ (signal + x @ r3 @ noise @ r3.T @ x.T) @ ht
        c2 = (h @ noise @ ht + lam**2 * h @ signal @ ht).sum(0)
        return new_v, r3 @ c2 @ r3.T, eye - (lam * h @ x @ r3).sum(0) / width

    v, c3, r3 = np.zeros((len(lam), 0, 0)), np.zeros((0, 0)), np.zeros((0, 0))
    for _ in range(steps + 1):
        v, c3, r3 = np.pad(v, ((0, 0), (0, 1), (0, 1))), np.pad(c3, (0, 1)), np.pad(r3, (0, 1))
        r3[-1, -1] = 1
        for _ in range(3):
            v, c3, r3 = sweep(v, c3, r3)
    for old, new in zip((v, c3, r3), sweep(v, c3, r3), strict=True):
        assert np.max(np.abs(old - new)) <= 1e-10 * np.max(np.abs(new)), "the oracle did not converge"
    return np.einsum("ktt,k->t", v, lam[:, 0, 0])
