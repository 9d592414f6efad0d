"""Slow, obvious solutions of the order-parameter equations: one dense inverse per mode, iterated to a fixed point."""

from __future__ import annotations

import numpy as np


def dense_online(eigenvalues, target, eta, gamma, steps, width, batch):
    """Solve the equations of online SGD on steps 0 .. T and return C0, R3, C3, C_w.

    Row t of C0 and R3 only needs earlier rows, and row t of C3 also row t of C0. So the equations are iterated on the first
    n steps, whose matrices are closed, for n = 1, 2, ...: two sweeps over all of them make the n-th row exact too. The
    residual of the returned solution is asserted.
    """
    assert steps <= 64 and len(eigenvalues) <= 80, "the oracle is for small problems"
    lam, w2 = np.asarray(eigenvalues)[:, None, None], np.asarray(target)[:, None, None] ** 2

    def sweep(c0, c3, r3):
        eye, ones = np.eye(len(c0)), np.ones((len(c0), 1))
        theta = eta * np.tril(np.ones_like(c0), -1)
        s = np.linalg.inv(eye - eta * gamma * theta @ np.tril(c3, -1)) @ theta
        c_w = s @ c3 @ s.T
        x = s + eta * gamma * np.tril(c_w, -1)
        noise = np.diag(np.diag(c0)) / batch
        h = np.linalg.inv(eye + lam * (x @ r3))
        ht = h.transpose(0, 2, 1)
        signal = w2 * (ones @ ones.T) + x @ c3 @ x.T / width
        new_r3 = eye - (lam * h @ x @ r3).sum(0) / width
        new_c0 = (lam * h @ (signal + lam * (x @ r3 @ noise @ r3.T @ x.T)) @ ht).sum(0)
        c2 = (lam * h @ noise @ ht).sum(0) + (lam**2 * h @ signal @ ht).sum(0)
        return new_c0, new_r3 @ c2 @ new_r3.T, new_r3, c_w

    c0, c3, r3 = np.zeros((0, 0)), np.zeros((0, 0)), np.zeros((0, 0))
    for _ in range(steps + 1):
        c0, c3, r3 = (np.pad(matrix, (0, 1)) for matrix in (c0, c3, r3))
        r3[-1, -1] = 1
        for _ in range(2):
            c0, c3, r3, _ = sweep(c0, c3, r3)
    new_c0, new_c3, new_r3, c_w = sweep(c0, c3, r3)
    for old, new in ((c0, new_c0), (c3, new_c3), (r3, new_r3)):
        assert np.max(np.abs(old - new)) <= 1e-10 * np.max(np.abs(new)), "the oracle did not converge"
    return new_c0, new_r3, new_c3, c_w


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
