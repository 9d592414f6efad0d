"""Power laws that end at a constant, one for a curve or one for several: what cannot be learned, beside the law without it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from neural_scaling.checks import require
from neural_scaling.fits.power_law import FloatArray, check_curve

_EXPONENTS = np.geomspace(1e-3, 3.0, 1600)  # half a percent apart, and between the neighbours of the best ones
_FINE = 100  # times as close
_OFFSETS = 400  # from nothing to the lowest loss
_ONE_PARAMETER_95 = 3.841458820694124  # quantile of chi squared with one degree of freedom


@dataclass(frozen=True)
class OffsetFit:
    """Fit of ``L = offset + prefactor * t^-exponent`` with a non-negative offset.

    Attributes
    ----------
    exponent, prefactor, offset
        Best values.
    interval, offset_interval
        95 % intervals from the profile of chi squared over the exponent, whose scale is raised to one per degree of freedom
        where the best fit misses more than the errors allow; the offsets are those that go with these exponents. An interval
        that reaches an end of 1e-3 to 3 in the exponent is open there.
    chi2
        Sum of squared deviations over squared errors.
    chi2_without
        That of the best power law without an offset.
    points
        Number of points.
    """

    exponent: float
    prefactor: float
    offset: float
    interval: tuple[float, float]
    offset_interval: tuple[float, float]
    chi2: float
    chi2_without: float
    points: int

    @property
    def gain(self) -> float:
        """By how much the offset lowers chi squared, in units of what the best fit misses per degree of freedom (or 1)."""
        return (self.chi2_without - self.chi2) / max(1.0, self.chi2 / max(self.points - 3, 1))


def fit_offset_power_law(t: ArrayLike, L: ArrayLike, sigma: ArrayLike) -> OffsetFit:
    """Fit a power law with a non-negative offset by weighted least squares.

    Parameters
    ----------
    t
        Increasing positive abscissae, shape (T,).
    L
        Positive values, shape (T,).
    sigma
        Their standard errors, independent, shape (T,).

    Returns
    -------
    OffsetFit

    Raises
    ------
    InputError
        If the curve is not valid, errors are not positive, or there are fewer than four points.
    """
    time, value, error = _checked(t, L, sigma)
    scaled = time / math.sqrt(time[0] * time[-1])  # so that neither power nor prefactor run out of range
    weight = error**-2
    exponents = _EXPONENTS
    for found in _profiles(exponents, scaled, value, weight)[2:]:
        least = int(np.argmin(found))
        near = _EXPONENTS[max(least - 1, 0)], _EXPONENTS[min(least + 1, _EXPONENTS.size - 1)]
        exponents = np.union1d(exponents, np.geomspace(*near, 2 * _FINE))
    offset, prefactor, chi2, without = _profiles(exponents, scaled, value, weight)
    best = int(np.argmin(chi2))
    scale = max(1.0, float(chi2[best]) / (time.size - 3))
    accepted = chi2 <= chi2[best] + _ONE_PARAMETER_95 * scale
    exponent = float(exponents[best])
    return OffsetFit(
        exponent,
        float(prefactor[best]) * float(time[0] / scaled[0]) ** exponent,
        float(offset[best]),
        (float(exponents[accepted][0]), float(exponents[accepted][-1])),
        (float(offset[accepted].min()), float(offset[accepted].max())),
        float(chi2[best]),
        float(without.min()),
        int(time.size),
    )


@dataclass(frozen=True)
class CommonOffsetFit:
    """Fit of ``L_i = offset + prefactor_i * t^-exponent_i`` with one non-negative offset for several curves.

    Attributes
    ----------
    offset
        Best value.
    offset_interval
        95 % interval from the profile of chi squared.
    exponents
        Best values, shape (K,).
    intervals
        Least and largest exponents that go with offsets in the interval, shape (K, 2).
    """

    offset: float
    offset_interval: tuple[float, float]
    exponents: FloatArray
    intervals: FloatArray


def fit_common_offset(t: ArrayLike, L: ArrayLike, sigma: ArrayLike) -> CommonOffsetFit:
    """Fit power laws with a common non-negative offset by weighted least squares.

    Curves may share their noise, as losses on the same batches do. Chi squared is therefore allowed to rise K times as far as for
    independent curves, and further where the best fit misses more than the errors allow.

    Parameters
    ----------
    t
        Increasing positive abscissae, shape (T,).
    L
        Positive values of K curves, shape (K, T).
    sigma
        Their standard errors, shape (K, T).

    Returns
    -------
    CommonOffsetFit

    Raises
    ------
    InputError
        If a curve is not valid, errors are not positive, or there are fewer than four points.
    """
    curves = [_checked(t, value, error) for value, error in zip(np.asarray(L), np.asarray(sigma), strict=True)]
    time, lowest = curves[0][0], min(float(value.min()) for _, value, _ in curves)
    scaled = time / math.sqrt(time[0] * time[-1])
    powers = scaled ** -_EXPONENTS[:, None]
    offsets = np.linspace(0.0, lowest, _OFFSETS, endpoint=False)
    chi2, exponents = np.empty((len(curves), offsets.size)), np.empty((len(curves), offsets.size))
    for row, (_, value, error) in enumerate(curves):
        weight = error**-2
        inverse = 1 / (powers**2 @ weight)
        for column, offset in enumerate(offsets):
            left = value - offset
            found = left**2 @ weight - ((powers * weight) @ left) ** 2 * inverse
            least = int(np.argmin(found))
            chi2[row, column], exponents[row, column] = found[least], _EXPONENTS[least]
    total = chi2.sum(axis=0)
    best = int(np.argmin(total))
    freedom = len(curves) * (time.size - 2) - 1
    accepted = total <= total[best] + _ONE_PARAMETER_95 * len(curves) * max(1.0, float(total[best]) / freedom)
    return CommonOffsetFit(
        float(offsets[best]),
        (float(offsets[accepted][0]), float(offsets[accepted][-1])),
        exponents[:, best],
        np.stack([exponents[:, accepted].min(axis=1), exponents[:, accepted].max(axis=1)], axis=1),
    )


def _checked(t: ArrayLike, L: ArrayLike, sigma: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return a curve and its errors, if they are valid."""
    time, value = check_curve(t, L)
    error = np.asarray(sigma, dtype=np.float64)
    require(error.shape == time.shape, "sigma", f"has shape {error.shape}", f"give shape {time.shape}")
    good = bool(np.all(np.isfinite(error)) and np.all(error > 0))
    require(good, "sigma", "holds a value that is not positive and finite", "drop points without error")
    require(time.size >= 4, "t", f"has {time.size} points", "give at least four")
    return time, value, error


def _profiles(
    exponents: FloatArray, time: FloatArray, value: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return for each exponent the best offset and prefactor, their chi squared, and that of the best law without an offset."""
    powers = time ** -exponents[:, None]
    alone = (powers * weight) @ value / (powers**2 @ weight)
    total = weight.sum()
    mean_x, mean_y = powers @ weight / total, value @ weight / total
    centred = powers - mean_x[:, None]
    prefactor = (centred * weight) @ (value - mean_y) / (centred**2 @ weight)
    offset = mean_y - prefactor * mean_x
    below = offset < 0
    offset, prefactor = np.where(below, 0.0, offset), np.where(below, alone, prefactor)
    missed = value - offset[:, None] - prefactor[:, None] * powers
    return offset, prefactor, missed**2 @ weight, (value - alone[:, None] * powers) ** 2 @ weight
