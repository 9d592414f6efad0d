"""The model as the paper writes it, with all M features and the matrix A(t) in full: slow, and nothing is rewritten.

For the statements that concern the forms of the model themselves: projected descent on A (eq. 4), ordinary descent on B with
``A = B A(0)`` (eqs. 16-17, with the gamma that the text mentions), and eq. 4 without its projection (section 2,
footnote 1). Everything else uses :mod:`neural_scaling.models.toy_model`, which is the second form made fast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from neural_scaling.base import checks
from neural_scaling.base.arrays import Array, ArrayValue
from neural_scaling.dmft.stability import check_dynamics, check_finite
from neural_scaling.spectra import ModeQuadrature, PowerLaw, Spectrum, as_spectrum

__all__ = ["DirectRun", "best_in_span", "initial_features", "train_directly"]

Modes = PowerLaw | Spectrum | ModeQuadrature
Form = Literal["projected", "factored", "unprojected"]


@dataclass(frozen=True, eq=False)
class DirectRun(ArrayValue):
    """Outcome of :func:`train_directly`.

    Attributes
    ----------
    loss
        Test loss on steps 0 .. T (eq. 5), shape (T + 1,).
    weights
        w(T), shape (N,).
    features
        A(T), shape (N, M).
    mixing
        B(T) with ``A(T) = B(T) A(0)``, shape (N, N), for the factored form; otherwise None.
    """

    loss: Array
    weights: Array
    features: Array
    mixing: Array | None

    @property
    def weight_norm(self) -> float:
        """``C_w = |w|^2/N`` at the end."""
        return float(self.weights @ self.weights) / self.weights.size


def initial_features(spectrum: Modes, width: int, seed: int) -> Array:
    """Return A(0) with independent standard normal entries, shape (N, M).

    Parameters
    ----------
    spectrum
        The M modes.
    width
        N, at least 1.
    seed
        Seed.
    """
    modes = as_spectrum(spectrum, "spectrum").modes
    return np.random.default_rng(checks.seed(seed)).standard_normal((checks.whole(width, "width"), modes))


def train_directly(
    spectrum: Modes,
    initial: Array,
    eta: float,
    gamma: float,
    steps: int,
    form: Form = "projected",
    batch: float = math.inf,
    seed: int = 0,
) -> DirectRun:
    """Train one network from ``w = 0`` on Gaussian features.

    Parameters
    ----------
    spectrum
        The M modes.
    initial
        A(0), shape (N, M).
    eta
        Learning rate.
    gamma
        Richness.
    steps
        Number of steps T.
    form
        Which equations to follow. The same seed gives every form the same batches.
    batch
        B, or ``math.inf`` for gradient descent on the population.
    seed
        Seed of the batches.

    Raises
    ------
    InputError
        If an argument is out of range.
    DynamicsDiverged
        If the loss blows up.
    """
    spectrum = as_spectrum(spectrum, "spectrum")
    initial = checks.array(initial, "initial", shape=(None, spectrum.modes))
    eta, gamma = checks.require_positive(eta, "eta"), checks.real(gamma, "gamma", least=0.0)
    steps, batch, seed = checks.whole(steps, "steps"), checks.count(batch, "batch"), checks.seed(seed)
    form = checks.choice(form, "form", get_args(Form))
    check_dynamics(spectrum.quadrature(), eta, gamma, steps, initial.shape[0], batch)
    random, root = np.random.default_rng(seed), np.sqrt(spectrum.eigenvalues)
    width = initial.shape[0]
    features, mixing, weights = initial.copy(), np.eye(width), np.zeros(width)
    loss = np.empty(steps + 1)
    for step in range(steps + 1):
        learned = weights @ mixing @ initial if form == "factored" else weights @ features
        error = spectrum.target - learned / width
        loss[step] = spectrum.eigenvalues @ error**2
        if step == steps or not loss[step] <= 1e6 * loss[0]:
            loss[step + 1 :] = math.nan
            break
        if batch == math.inf:
            gradient = spectrum.eigenvalues * error
        else:
            psi = random.standard_normal((int(batch), spectrum.modes)) * root
            gradient = psi.T @ (psi @ error) / batch
        before = weights
        if form == "factored":
            seen = initial @ gradient
            weights = before + eta * mixing @ seen
            mixing += (eta * gamma / width * before)[:, None] * seen
        else:
            weights = before + eta * features @ gradient
            change = gradient if form == "unprojected" else (initial @ gradient) @ initial / width
            features += (eta * gamma * before)[:, None] * change
    check_finite(loss, spectrum.quadrature(), eta, gamma, width, batch)
    if form == "factored":
        return DirectRun(loss, weights, mixing @ initial, mixing)
    return DirectRun(loss, weights, features, None)


def best_in_span(spectrum: Modes, initial: Array) -> float:
    """Return the smallest loss that a combination of the initial features can reach.

    Parameters
    ----------
    spectrum
        The M modes.
    initial
        A(0), shape (N, M).

    Returns
    -------
    float
        Residual variance of the target after projection on the rows of A(0).
    """
    spectrum = as_spectrum(spectrum, "spectrum")
    initial = checks.array(initial, "initial", shape=(None, spectrum.modes))
    root = np.sqrt(spectrum.eigenvalues)
    target = root * spectrum.target
    basis, _ = np.linalg.qr((initial * root).T)
    return float(np.sum((target - basis @ (basis.T @ target)) ** 2))
