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
_OFFSETS = 200  # from nothing to the lowest loss, then closer about the best ones
_ZOOMS = 20  # each by three at least, as long as fewer than a quarter are accepted
_HALVINGS = 40
_GOLDEN = (1 + math.sqrt(5)) / 2
#: Quantile of chi squared with one degree of freedom: by how much it must fall for one more parameter.
ONE_PARAMETER_95 = 3.841458820694124


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
    accepted = chi2 <= chi2[best] + ONE_PARAMETER_95 * scale
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
        95 % intervals, shape (K, 2): the exponents that any offset leaves possible, the other curves at their best for it. One
        that reaches 1e-3 or 3 is open there.
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
        If there is no curve, one is not valid, errors are not positive, or there are fewer than four points.
    """
    values, errors = (np.atleast_2d(np.asarray(array, dtype=np.float64)) for array in (L, sigma))
    require(errors.shape == values.shape, "sigma", f"has shape {errors.shape}", f"give shape {values.shape}")
    require(len(values) >= 1, "L", "holds no curve", "give at least one")
    checked = [_checked(t, value, error) for value, error in zip(values, errors, strict=True)]
    time = checked[0][0]
    curves = [_Curve(time / math.sqrt(time[0] * time[-1]), value, error**-2) for _, value, error in checked]
    lowest = float(values.min())
    freedom = len(curves) * (time.size - 2) - 1
    # Evenly from nothing to the lowest loss, and ever closer to it, where a curve has come down to the constant.
    offsets = lowest * np.union1d(np.linspace(0, 1, _OFFSETS), 1 - np.geomspace(1e-9, 1, _OFFSETS))
    for zoom in range(_ZOOMS + 1):
        exponents = np.stack([curve.best(offsets) for curve in curves])
        chi2 = np.stack([curve.chi2(offsets, row) for curve, row in zip(curves, exponents, strict=True)])
        total = chi2.sum(axis=0)
        best = int(np.argmin(total))
        allowed = ONE_PARAMETER_95 * len(curves) * max(1.0, float(total[best]) / freedom)
        spare = total[best] + allowed - total
        accepted = np.flatnonzero(spare >= 0)
        if zoom == _ZOOMS or (zoom and accepted.size > _OFFSETS / 4):
            break
        near = offsets[max(accepted[0] - 1, 0)], offsets[min(accepted[-1] + 1, offsets.size - 1)]
        offsets = np.linspace(*near, _OFFSETS)
    spare, kept = spare[accepted], offsets[accepted]
    ends = [
        [curve.until(kept, row[accepted], spare, end) for end in (_EXPONENTS[0], _EXPONENTS[-1])]
        for curve, row in zip(curves, exponents, strict=True)
    ]
    return CommonOffsetFit(
        float(offsets[best]),
        (float(kept[0]), float(kept[-1])),
        exponents[:, best],
        np.array([(below.min(), above.max()) for below, above in ends]),
    )


@dataclass(frozen=True)
class _Curve:
    """A curve whose law is known but for offset, prefactor and exponent; arguments of shape (C,) are taken side by side."""

    time: FloatArray
    value: FloatArray
    weight: FloatArray

    def chi2(self, offset: FloatArray, exponent: FloatArray) -> FloatArray:
        """Return chi squared with the best prefactor, shape (C,)."""
        power = self.time ** -exponent[:, None]
        left = self.value - offset[:, None]
        weighted = power * self.weight
        prefactor = (weighted * left).sum(axis=1) / (weighted * power).sum(axis=1)
        missed = left - prefactor[:, None] * power
        return np.asarray(missed**2 @ self.weight)

    def best(self, offset: FloatArray) -> FloatArray:
        """Return the exponent of least chi squared for each offset, shape (C,): golden sections about the best of a grid."""
        grid = np.geomspace(_EXPONENTS[0], _EXPONENTS[-1], 100)
        seen = np.stack([self.chi2(offset, np.full(offset.shape, exponent)) for exponent in grid])
        least = np.argmin(seen, axis=0)
        low, high = (np.log(grid[np.clip(least + side, 0, grid.size - 1)]) for side in (-1, 1))
        for _ in range(_HALVINGS):
            step = (high - low) / _GOLDEN
            first, second = high - step, low + step
            left = self.chi2(offset, np.exp(first)) < self.chi2(offset, np.exp(second))
            low, high = np.where(left, low, first), np.where(left, second, high)
        return np.asarray(np.exp((low + high) / 2))

    def until(self, offset: FloatArray, exponent: FloatArray, spare: FloatArray, end: float) -> FloatArray:
        """Return the exponents towards an end at which chi squared has risen by what is spare, or that end, shape (C,)."""
        most = self.chi2(offset, exponent) + spare
        near, far = np.log(exponent), np.full(offset.shape, math.log(end))
        far = np.where(self.chi2(offset, np.exp(far)) <= most, near, far)
        open_end = far == near
        for _ in range(_HALVINGS):
            middle = (near + far) / 2
            inside = self.chi2(offset, np.exp(middle)) <= most
            near, far = np.where(inside, middle, near), np.where(inside, far, middle)
        return np.where(open_end, end, np.exp(near))


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
