"""Capacity and source of a measured spectrum, with uncertainty."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from neural_scaling.checks import require
from neural_scaling.fits.power_law import NORMAL_95, FloatArray, PowerLawFit, fit_power_law
from neural_scaling.spectra import Spectrum

_BINS_PER_DECADE = 8


@dataclass(frozen=True)
class SpectrumFit:
    """Capacity and source exponents of a spectrum (eq. 6).

    Attributes
    ----------
    eigenvalues
        Fit of ``lambda_k`` against k; its exponent is the capacity ``alpha``.
    target
        Fit of ``lambda_k (w*_k)^2``, averaged in bins, against k; its exponent is ``alpha beta + 1``.
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
    target: PowerLawFit
    capacity: float
    source: float
    source_error: float
    source_interval: tuple[float, float]


def fit_spectrum(spectrum: Spectrum, window: tuple[float, float] | None = None) -> SpectrumFit:
    """Fit capacity and source of a spectrum.

    Target coefficients scatter from mode to mode, so their squares are averaged in geometric bins of modes and weighted by
    the scatter within a bin. A sum over all later modes would scatter less but lacks the modes beyond the last, which for small
    sources hold most of it.

    Parameters
    ----------
    spectrum
        At least 100 modes.
    window
        First and last mode number fitted; by default from 10 to a third of the modes: the first modes are not yet a power law,
        and the last ones of a finite sample are distorted.

    Returns
    -------
    SpectrumFit

    Raises
    ------
    InputError
        If there are fewer than 100 modes, or the window holds too few bins or bins without target.
    """
    require(
        spectrum.modes >= 100, "spectrum", f"has {spectrum.modes} modes", "give at least 100: a power needs decades"
    )
    first, last = window or (10.0, spectrum.modes / 3)
    require(
        1 <= first < last <= spectrum.modes,
        "window",
        f"got {window!r}",
        f"give two mode numbers between 1 and {spectrum.modes}",
    )
    mode = np.arange(1, spectrum.modes + 1, dtype=np.float64)
    eigenvalues = fit_power_law(mode, spectrum.eigenvalues, (first, last))
    centre, power, error = _binned(mode, spectrum.eigenvalues * spectrum.target**2, first, last)
    require(centre.size >= 4, "window", f"({first:g}, {last:g}) holds {centre.size} bins of modes", "widen it")
    require(bool(np.all(power > 0)), "spectrum", "a bin of modes holds no target", "end the window before it")
    target = fit_power_law(centre, power, sigma=error)
    capacity = eigenvalues.exponent
    source = (target.exponent - 1) / capacity
    spread = math.hypot(target.standard_error, source * eigenvalues.standard_error) / capacity
    interval = (source - NORMAL_95 * spread, source + NORMAL_95 * spread)
    return SpectrumFit(eigenvalues, target, capacity, source, spread, interval)


def _binned(
    mode: FloatArray, value: FloatArray, first: float, last: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return centres, means and standard errors in geometric bins with at least two modes."""
    edges = np.geomspace(first, last, max(2, round(_BINS_PER_DECADE * math.log10(last / first))) + 1)
    rows = []
    for low, high in itertools.pairwise(edges):
        inside = (mode >= low) & (mode < high)
        if inside.sum() >= 2:
            values = value[inside]
            error = float(values.std(ddof=1)) / math.sqrt(values.size)
            rows.append((float(np.exp(np.log(mode[inside]).mean())), float(values.mean()), max(error, 1e-300)))
    return tuple(np.array(rows, dtype=np.float64).reshape(-1, 3).T)  # type: ignore[return-value]
