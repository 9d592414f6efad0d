"""Checks of the exponents and scales that every closed form shares."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neural_scaling.checks import require

FloatArray = NDArray[np.float64]


def positive_array(value: ArrayLike, argument: str, remedy: str = "give positive finite numbers") -> FloatArray:
    """Return ``value`` as float64 after checking that every entry is positive and finite.

    Raises
    ------
    InputError
        If an entry is not a positive finite number.
    """
    array = np.asarray(value, dtype=np.float64)
    good = bool(array.size > 0 and np.all(np.isfinite(array)) and np.all(array > 0))
    require(good, argument, f"got {value!r}", remedy)
    return array


def positive_or_infinite_array(value: ArrayLike, argument: str) -> FloatArray:
    """Return ``value`` as float64 after checking that every entry is positive (infinity is welcome).

    Raises
    ------
    InputError
        If an entry is not positive.
    """
    array = np.asarray(value, dtype=np.float64)
    good = bool(array.size > 0 and np.all(array > 0))
    require(good, argument, f"got {value!r}", "give positive numbers, or math.inf for the limit")
    return array


def check_capacity(alpha: float) -> None:
    """Refuse a capacity for which the infinite power-law kernel is not trace class.

    Raises
    ------
    InputError
        If ``alpha <= 1`` or not a finite number.
    """
    number = isinstance(alpha, Real) and not isinstance(alpha, bool) and math.isfinite(alpha)
    require(number and alpha > 0, "alpha", f"got {alpha!r}", "the capacity must be a positive finite number")
    require(
        alpha > 1,
        "alpha",
        f"got {alpha!r}, for which the eigenvalues k^-alpha of the infinite power law have no finite sum",
        "take alpha > 1 so that the kernel is trace class, or use a spectrum with finitely many modes",
    )


def check_source(beta: float) -> None:
    """Refuse a source exponent that is not a positive finite number.

    Raises
    ------
    InputError
        If ``beta <= 0`` or not a finite number.
    """
    number = isinstance(beta, Real) and not isinstance(beta, bool) and math.isfinite(beta)
    require(
        number and beta > 0,
        "beta",
        f"got {beta!r}",
        "the source must be positive, otherwise the target has infinite variance",
    )


def check_richness(gamma: float) -> None:
    """Refuse a negative or infinite richness.

    Raises
    ------
    InputError
        If ``gamma < 0`` or not a finite number.
    """
    number = isinstance(gamma, Real) and not isinstance(gamma, bool) and math.isfinite(gamma)
    require(number and gamma >= 0, "gamma", f"got {gamma!r}", "give 0 for the lazy limit or a positive number")
