"""Slow, obvious versions of training on P fixed samples: the order-parameter equations and the simulation."""

from __future__ import annotations

import numpy as np

from oracles.causal import fixed_point, inverse


def dense_reuse(eigenvalues, target, eta, gamma, steps, width, samples, block=1):
    """Solve the equations of full-batch descent on steps 0 .. T and return C0, C1, R1, R3, C3, C_w.

    These are the responses and covariances of the stochastic processes themselves (eq. 41), one dense inverse per mode, without
    the identities that the solver uses. ``eta`` may be given for each step.
    """
    lam, w2 = np.asarray(eigenvalues)[:, None, None], np.asarray(target)[:, None, None] ** 2
    eta = np.broadcast_to(np.asarray(eta, float), steps + 1)

    def sweep(c0, c3, r1, r3, _):
        rows = len(c0)
        eye, ones, rate = np.eye(rows), np.ones((rows, 1)), eta[:rows]
        theta = np.tril(np.ones_like(c0), -1) * rate
        s = inverse(eye - gamma * theta @ (np.tril(c3, -1) * rate)) @ theta
        c_w = s @ c3 @ s.T
        x = s + gamma * np.tril(c_w, -1) * rate
        h = inverse(eye + lam * (x @ r3 @ r1))
        ht = h.transpose(0, 2, 1)
        r02 = -(lam * h @ x @ r3).sum(0)
        r24 = -(lam * r1 @ h @ x).sum(0)
        c1 = r1 @ c0 @ r1.T
        ramp = h @ ones
        signal = w2 * (ramp @ ramp.transpose(0, 2, 1)) + h @ x @ c3 @ x.T @ ht / width
        v = signal + lam * (h @ x @ r3 @ c1 @ r3.T @ x.T @ ht) / samples
        d = eye - lam * (r1 @ h @ x @ r3)
        c2 = (lam * d @ c1 @ d.transpose(0, 2, 1) / samples + lam**2 * (r1 @ signal @ r1.T)).sum(0)
        new_r1, new_r3 = inverse(eye - r02 / samples), inverse(eye - r24 / width)
        return (lam * v).sum(0), r3 @ c2 @ r3.T, new_r1, new_r3, c_w

    nothing, one = np.zeros((1, 1)), np.ones((1, 1))
    c0, c3, r1, r3, c_w = fixed_point(sweep, (nothing, nothing, one, one, nothing), steps + 1, block)
    return c0, r1 @ c0 @ r1.T, r1, r3, c3, c_w


def direct_reuse(spectrum, a0, features, eta, gamma, steps):
    """Return test and training loss on steps 0 .. T as the paper writes the model: A(t) in full, ``features`` (P x M)."""
    lam, w_star = spectrum.eigenvalues, spectrum.target
    width = a0.shape[0]
    projection = a0.T @ a0 / width
    a, w, test, train = a0.copy(), np.zeros(width), [], []
    for _ in range(steps + 1):
        v0 = w_star - a.T @ w / width
        v1 = features @ v0
        test.append(np.sum(lam * v0**2))
        train.append(np.mean(v1**2))
        v2 = features.T @ v1 / len(features)
        a, w = a + eta * gamma * np.outer(w, v2 @ projection), w + eta * a @ v2
    return np.array(test), np.array(train)
