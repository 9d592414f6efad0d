r"""The order-parameter equations as dense matrices, as printed or as corrected.

Made to be compared with the text line by line, not to be fast. With Q the response that acts on v2 and E the one that
acts on v0 (corrected: ``Q = R3`` and ``E = R1``), the processes of eqs. 26 and 41 in unit steps give

.. math::
    H_k &= (I + \lambda_k X Q E)^{-1}, \qquad
    R_1 = \Big(I + \tfrac1P \sum_k \lambda_k H_k X Q\Big)^{-1}, \qquad
    R_3 = \Big(I + \tfrac1N \sum_k \lambda_k E H_k X\Big)^{-1}, \\
    C_0 &= \sum_k \lambda_k V_k, \qquad
    V_k = H_k \Big[ (w^*_k)^2 1 1^T + X \Big(\tfrac1N C_3 + \tfrac{\lambda_k}{P} Q C_1 Q^T\Big) X^T \Big] H_k^T, \\
    C_2 &= \sum_k \tfrac{\lambda_k}{P} D_k C_1 D_k^T + \lambda_k^2 E H_k \Big[ (w^*_k)^2 1 1^T
           + \tfrac1N X C_3 X^T \Big] H_k^T E^T, \qquad D_k = I - \lambda_k E H_k X Q,

with ``C_1 = R_1 C_0 R_1^T`` and ``C_3 = R_3 C_2 R_3^T``. Infinite P is online training at infinite batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from neural_scaling.base.arrays import Array
from neural_scaling.spectra import Spectrum


@dataclass(frozen=True)
class Forms:
    """Which equations to use as corrected (the default) and which as printed."""

    # eqs. 23, 26, 41: the sum over R3(t, s) v2(s) runs over s <= t; printed: s < t
    response_at_equal_times: bool = True
    causal: bool = True  # eqs. 27-31: C3 and C_w inside the response are strictly lower triangular; printed: full
    integrated_memory: bool = True  # eq. 30: Theta C3 in the inverse; printed: C3
    squared_eigenvalue: bool = True  # eq. 31: lambda_k^2 in the second sum of C2; printed: 1
    error_in_the_past: bool = True  # eq. 41: v0(s) in the integral for v2; printed: v0(t)


CORRECTED = Forms()


@dataclass(frozen=True)
class Problem:
    """What the equations are solved for."""

    spectrum: Spectrum  # the M modes
    # eta, gamma: learning rate and richness
    eta: float
    gamma: float
    steps: int  # number of steps T. A sweep costs M T^3
    # width, samples: N and P, math.inf for the limits
    width: float = math.inf
    samples: float = math.inf


@dataclass(frozen=True)
class OrderParameters:
    """Order parameters on steps 0 .. T, each of shape (T + 1, T + 1)."""

    # c0, c1, c3, r1, r3: what one sweep over the equations needs from the previous one. The diagonal of c0 is the
    # test loss, that of c1 the training loss
    c0: Array
    c1: Array
    c3: Array
    r1: Array
    r3: Array
    # c_w, drive: C_w and X, which follow from the others
    c_w: Array
    drive: Array


def solve_dense(problem: Problem, forms: Forms = CORRECTED) -> OrderParameters:
    """Solve the corrected equations: they are causal, so the first rows are closed and two sweeps add one more."""
    known = OrderParameters(*(np.zeros((0, 0)) for _ in range(7)))
    for row in range(problem.steps + 1):
        grown = {name: np.pad(getattr(known, name), (0, 1)) for name in ("c0", "c1", "c3", "r1", "r3", "c_w", "drive")}
        grown["r1"][-1, -1] = grown["r3"][-1, -1] = 1
        known = OrderParameters(**grown)
        first = replace(problem, steps=row)
        known = substitute(first, substitute(first, known, forms), forms)
    return known


def substitute(problem: Problem, known: OrderParameters, forms: Forms = CORRECTED) -> OrderParameters:
    """Put order parameters into the right-hand sides once."""
    rows = problem.steps + 1
    lam = problem.spectrum.eigenvalues[:, None, None]
    target = (problem.spectrum.target**2)[:, None, None]
    eye, ones = np.eye(rows), np.ones((rows, rows))
    rate = problem.eta * problem.gamma
    theta = problem.eta * np.tril(ones, -1)
    per_width, per_sample = 1 / problem.width, 1 / problem.samples

    memory = np.tril(known.c3, -1) if forms.causal else known.c3
    s = np.linalg.solve(eye - rate * theta @ memory, theta)
    filtered = s if forms.integrated_memory else np.linalg.solve(eye - rate * memory, theta)
    c_w = filtered @ known.c3 @ filtered.T
    drive = s + rate * (np.tril(c_w, -1) if forms.causal else c_w)
    q = known.r3 if forms.response_at_equal_times else np.tril(known.r3, -1)
    e = known.r1 if forms.error_in_the_past else np.diag(known.r1.sum(axis=1))
    h = np.linalg.inv(eye + lam * (drive @ q @ e))
    eh = e @ h
    r1 = np.linalg.inv(eye + per_sample * (np.sum(lam * h, axis=0) @ drive @ q))
    r3 = np.linalg.inv(eye + per_width * (np.sum(lam * eh, axis=0) @ drive))
    noise = per_sample * (drive @ q @ known.c1 @ q.T @ drive.T)
    signal = target * ones + per_width * (drive @ known.c3 @ drive.T)
    c0 = np.sum(lam * (h @ (signal + lam * noise) @ h.transpose(0, 2, 1)), axis=0)
    d = eye - lam * (eh @ drive @ q)
    factor = lam**2 if forms.squared_eigenvalue else 1.0
    c2 = np.sum(factor * (eh @ signal @ eh.transpose(0, 2, 1)), axis=0)
    c2 = c2 + per_sample * np.sum(lam * (d @ known.c1 @ d.transpose(0, 2, 1)), axis=0)
    return OrderParameters(c0, r1 @ c0 @ r1.T, r3 @ c2 @ r3.T, r1, r3, c_w, drive)
