"""Capacity and source of a measured spectrum, with uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from neural_scaling.base.checks import InputError, instance, require
from neural_scaling.fits.power_law import NORMAL_95, FloatArray, PowerLawFit, check_window, fit_power_law
from neural_scaling.spectra import Spectrum

_ROUNDS = 100
_CLOSE = 1e-12  # in the logarithm of the mean, larger than rounding
_FEWEST = 20  # modes in a window


@dataclass(frozen=True)
class TargetFit:
    """Fit of the mean of ``lambda_k (w*_k)^2`` by a power of k.

    Attributes
    ----------
    exponent
        Decay exponent.
    scatter
        Variance of the values over the square of their mean: 2 for normal coefficients, 0 where they follow the law.
    statistical_error
        Standard error from this scatter.
    curvature
        As of :class:`PowerLawFit`, from the lower and the upper half of the window in log k.
    standard_error
        ``hypot(statistical_error, curvature)``.
    modes
        Number of modes in the window.
    """

    exponent: float
    scatter: float
    statistical_error: float
    curvature: float
    standard_error: float
    modes: int


@dataclass(frozen=True)
class SpectrumFit:
    """Capacity and source exponents of a spectrum (eq. 6).

    Attributes
    ----------
    eigenvalues
        Fit of ``lambda_k`` against k; its exponent is the capacity ``alpha``.
    target
        Fit of ``lambda_k (w*_k)^2`` against k; its exponent is ``alpha beta + 1``.
    capacity
        ``alpha``.
    source
        ``beta``.
    source_error
        Standard error of ``beta``, those of both fits taken as independent.
    source_interval
        95 % interval of ``beta``.
    """

    eigenvalues: PowerLawFit
    target: TargetFit
    capacity: float
    source: float
    source_error: float
    source_interval: tuple[float, float]


def fit_spectrum(spectrum: Spectrum, window: tuple[float, float] | None = None) -> SpectrumFit:
    """Fit capacity and source of a spectrum.

    The model: the mean of ``lambda_k (w*_k)^2`` is a power of k, and the values scatter about it independently, each by the same
    share of its mean, whether not at all or as squares of normal coefficients do. The fit is that of a gamma law of this scatter
    with the mean as its only parameter. It compares values with their mean and takes no logarithm of them, and so has no bias,
    whatever their distribution. A sum over all later modes would scatter less but lacks the modes beyond the last, which
    for small sources hold most of it.

    Parameters
    ----------
    spectrum
        At least 100 modes.
    window
        First and last mode number fitted; by default from 10 to a third of the modes: the first modes are not yet a power law,
        and the last ones of a finite sample are distorted.

    Raises
    ------
    InputError
        If there are fewer than 100 modes, the window holds too few, or modes without target have no law.
    """
    spectrum = instance(spectrum, "spectrum", Spectrum, "give a Spectrum")
    require(
        spectrum.modes >= 100, "spectrum", f"has {spectrum.modes} modes", "give at least 100: a power needs decades"
    )
    first, last = (10.0, spectrum.modes / 3) if window is None else check_window(window)
    limits = f"give two mode numbers between 1 and {spectrum.modes}"
    require(1 <= first < last <= spectrum.modes, "window", f"got {window!r}", limits)
    mode = np.arange(1, spectrum.modes + 1, dtype=np.float64)
    inside = (mode >= first) & (mode <= last)
    held = int(np.count_nonzero(inside))
    require(held >= _FEWEST, "window", f"({first:g}, {last:g}) holds {held} modes", f"widen it to {_FEWEST} at least")
    eigenvalues = fit_power_law(mode, spectrum.eigenvalues, (first, last))
    target = _fit_mean(np.log(mode[inside]), (spectrum.eigenvalues * spectrum.target**2)[inside])
    capacity = eigenvalues.exponent
    source = (target.exponent - 1) / capacity
    spread = math.hypot(target.standard_error, source * eigenvalues.standard_error) / capacity
    # The half-width of the capacity has the quantile of its own scatter.
    own = (eigenvalues.interval[1] - eigenvalues.interval[0]) / 2
    statistical = float(stdtrit(target.modes - 2, 0.975)) * target.statistical_error
    half = math.hypot(statistical, NORMAL_95 * target.curvature, source * own) / capacity
    return SpectrumFit(eigenvalues, target, capacity, source, spread, (source - half, source + half))


def _fit_mean(x: FloatArray, value: FloatArray) -> TargetFit:
    """Fit the logarithm of the mean of values by a line in x."""
    slope, level, variance, scatter = _mean_line(x, value)
    middle = 0.5 * (x[0] + x[-1])
    halves = [_mean_line(x[side], value[side], (slope, level)) for side in (x <= middle, x > middle)]
    bend = (halves[0][0] - halves[1][0]) ** 2 - scatter * (halves[0][2] + halves[1][2])
    rounding = np.finfo(np.float64).eps * (1 + np.abs(level) + np.abs(slope) * x[-1])
    statistical = math.sqrt(max(scatter, rounding**2) * variance)
    curvature = 0.5 * math.sqrt(max(0.0, bend))
    return TargetFit(-slope, scatter, statistical, curvature, math.hypot(statistical, curvature), x.size)


def _mean_line(
    x: FloatArray, value: FloatArray, start: tuple[float, float] | None = None
) -> tuple[float, float, float, float]:
    """Return slope and level of the line, the variance of the slope for a scatter of one, and the scatter."""
    require(
        bool(np.count_nonzero(value) > 1),
        "spectrum",
        "a part of the window holds no target",
        "end the window before it",
    )
    shifted = x - x.mean()
    spread = float(shifted @ shifted)
    slope, level = (0.0, math.log(value.mean())) if start is None else (start[0], start[1] + start[0] * x.mean())
    for _ in range(_ROUNDS):  # Newton's method for the likelihood of a gamma law, whose logarithm is concave
        ratio = value * np.exp(-level - slope * shifted)
        excess = ratio - 1
        total, first, second = ratio.sum(), ratio @ shifted, ratio @ shifted**2
        lift, turn = excess.sum(), excess @ shifted
        bend = total * second - first**2
        lift, turn = (second * lift - first * turn) / bend, (total * turn - first * lift) / bend
        damping = 1 / max(1.0, abs(lift) + abs(turn) * float(np.abs(shifted).max()))  # where the law is off by far
        slope, level = slope + damping * turn, level + damping * lift
        if max(abs(turn), abs(lift)) < _CLOSE:
            scatter = float(excess @ excess) / (x.size - 2)
            return slope, level - slope * float(x.mean()), 1 / spread, scatter
    raise InputError("spectrum: no power law fits the target in a part of the window; choose another window.")
