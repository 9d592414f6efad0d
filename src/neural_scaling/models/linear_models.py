"""The models of Figure 9 side by side, small and explicit, trained on the population loss.

All are ``f = (1/N) w . A psi`` on M modes; they differ in what moves. Everything is dense and M-dimensional:
this module shows that forms agree, it is not meant for large runs
(:mod:`neural_scaling.models.toy_model` is).
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neural_scaling.base.checks import array, choice, real, require, require_positive, whole

__all__ = ["loss_curve", "projection_floor"]

FloatArray = NDArray[np.float64]

Model = Literal["random features", "two-layer", "projected", "factored"]


def loss_curve(
    model: Model, eigenvalues: ArrayLike, target: ArrayLike, features: ArrayLike, eta: float, gamma: float, steps: int
) -> FloatArray:
    """Train one of the models by gradient descent with an infinite batch (eqs. 3-5, 16-17); return the test loss of 0 to T steps.

    * ``random features``: A is frozen, w moves (Figure 9a);
    * ``two-layer``: A and w move by plain gradient descent, no projection (Figure 9b);
    * ``projected``: A moves by the projected gradient of eq. 4;
    * ``factored``: ``A = Bm(t) A(0)``, Bm and w move (Figure 9c; eq. 17 with the richness it lacks in print).

    ``eigenvalues`` and ``target`` have shape (M,), the ``features`` A(0) (N, M); ``gamma`` is the rate of A relative to w.
    """
    model = choice(model, "model", get_args(Model))
    lam, truth, start = _checked(eigenvalues, target, features)
    eta, gamma, steps = require_positive(eta, "eta"), real(gamma, "gamma", least=0.0), whole(steps, "steps")

    width = start.shape[0]
    gram = start.T @ start / width
    current = start.copy()
    mixing = np.eye(width)
    readout = np.zeros(width)
    loss = np.empty(steps + 1)
    for step in range(steps + 1):
        error = truth - current.T @ readout / width
        loss[step] = error @ (lam * error)
        gradient = lam * error
        moved = readout + eta * current @ gradient
        if model == "two-layer":
            current = current + eta * gamma * np.outer(readout, gradient)
        elif model == "projected":
            current = current + eta * gamma * np.outer(readout, gradient @ gram)
        elif model == "factored":
            mixing = mixing + (eta * gamma / width) * np.outer(readout, start @ gradient)
            current = mixing @ start
        readout = moved
        require(bool(np.isfinite(loss[step])), "eta", f"{eta:g} makes the loss diverge", "take a smaller one")
    return loss


def projection_floor(eigenvalues: ArrayLike, target: ArrayLike, features: ArrayLike) -> float:
    """Return the smallest loss in the span of the initial features, shape (N, M), the limit of every projected model."""
    lam, truth, start = _checked(eigenvalues, target, features)
    root = np.sqrt(lam)
    scaled_target = root * truth
    basis, _ = np.linalg.qr((start * root).T)
    residual = scaled_target - basis @ (basis.T @ scaled_target)
    return float(residual @ residual)


def _checked(
    eigenvalues: ArrayLike, target: ArrayLike, features: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    lam = array(eigenvalues, "eigenvalues", above=0.0)
    return lam, array(target, "target", shape=lam.shape), array(features, "features", shape=(None, lam.size))
