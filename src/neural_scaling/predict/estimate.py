"""Capacity and source of a task, from an exact spectrum."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from neural_scaling.base.arrays import Array, ArrayValue
from neural_scaling.base.checks import array, require
from neural_scaling.fits import fit_spectrum
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.spectra import Spectrum


@dataclass(frozen=True, eq=False)
class Estimate(ArrayValue):
    """Capacity and source with what they rest on."""

    capacity: float
    capacity_interval: tuple[float, float]
    source: float
    source_interval: tuple[float, float]
    covariance: Array
    window: tuple[float, float]
    noise: float
    noise_interval: tuple[float, float]
    hard: float
    super_easy: float
    eigenvalues: Array
    power: Array
    scale: float
    amplitude: float
    samples: int | None
    warnings: tuple[str, ...]


def estimate_spectrum(
    eigenvalues: ArrayLike, coefficients: ArrayLike, window: tuple[float, float] | None = None
) -> Estimate:
    """Estimate both exponents from exact modes in any order."""
    values = array(eigenvalues, "eigenvalues")
    targets = array(coefficients, "coefficients", shape=values.shape)
    order = np.argsort(values, kind="stable")[::-1]
    kept = order[values[order] > 1e-14 * values.max()]
    dropped = values.size - kept.size
    require(kept.size >= 100, "eigenvalues", f"{kept.size} positive values", "give at least 100")
    modes = Spectrum(values[kept], targets[kept])
    fit = fit_spectrum(modes, window)
    first, last = fit.eigenvalues.window
    k = np.arange(1, modes.modes + 1)
    inside = (k >= first) & (k <= last)
    power = modes.eigenvalues * modes.target**2
    amplitude = float(np.mean(power[inside] * k[inside] ** fit.target.exponent))
    spread = fit.eigenvalues.standard_error
    cross = -fit.source / fit.capacity * spread**2
    normal = NormalDist(fit.source, max(fit.source_error, 1e-12))
    words = (f"{dropped} eigenvalues that are zero, negative or rounding were dropped.",) if dropped else ()
    return Estimate(
        fit.capacity,
        (fit.capacity - NORMAL_95 * spread, fit.capacity + NORMAL_95 * spread),
        fit.source,
        fit.source_interval,
        np.array([[spread**2, cross], [cross, fit.source_error**2]]),
        (first, last),
        0.0,
        (0.0, 0.0),
        normal.cdf(1.0),
        1 - normal.cdf(2 - 1 / fit.capacity),
        modes.eigenvalues,
        power,
        math.exp(float(np.mean(np.log(modes.eigenvalues[inside] * k[inside] ** fit.capacity)))),
        amplitude,
        None,
        words,
    )
