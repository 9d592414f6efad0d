"""Checks of the exponents and scales that every closed form shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neural_scaling.base.checks import array, real, require_positive

FloatArray = NDArray[np.float64]

SOURCE_REMEDY = "the source must be positive, otherwise the target has infinite variance"


def positive_array(values: ArrayLike, argument: str) -> FloatArray:
    """Return positive finite numbers of any shape."""
    return array(values, argument, axes=None, above=0.0)


def capacity(alpha: float) -> float:
    """Return a capacity for which the infinite power-law kernel is trace class."""
    remedy = "take alpha > 1 so that the kernel is trace class, or use a spectrum with finitely many modes"
    return real(alpha, "alpha", remedy, above=1.0)


def source_exponent(beta: float) -> float:
    """Return a source exponent, positive and finite."""
    return require_positive(beta, "beta", SOURCE_REMEDY)


def richness(gamma: float) -> float:
    """Return a richness, 0 for the lazy limit or positive."""
    return real(gamma, "gamma", "give 0 for the lazy limit or a positive number", least=0.0)
