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
    """Train one of the models by gradient descent with an infinite batch (eqs. 3-5, 16-17).

    * ``random features``: A is frozen, w moves (Figure 9a);
    * ``two-layer``: A and w move by plain gradient descent, no projection (Figure 9b);
    * ``projected``: A moves by the projected gradient of eq. 4;
    * ``factored``: ``A = Bm(t) A(0)``, Bm and w move (Figure 9c; eq. 17 with the richness it lacks in print).

    Parameters
    ----------
    model
        Which model.
    eigenvalues
        lambda_k, shape (M,), positive.
    target
        w*_k, shape (M,).
    features
        A(0), shape (N, M).
    eta
        Learning rate, > 0.
    gamma
        Richness, >= 0; the rate of A relative to w. Not used by ``random features``.
    steps
        Number of steps T, >= 1.

    Returns
    -------
    ndarray
        Test loss before every step and after the last, shape (T + 1,).

    Raises
    ------
    InputError
        If a shape or a value does not fit, or the loss diverges.
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
    """Smallest loss within the span of the initial features, the limit of every projected model.

    Parameters
    ----------
    eigenvalues
        lambda_k, shape (M,).
    target
        w*_k, shape (M,).
    features
        A(0), shape (N, M).

    Returns
    -------
    float
        Squared distance of ``Lambda^(1/2) w*`` from the span of ``Lambda^(1/2) A(0)^T``.
    """
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
