"""Fit windows chosen from theory before looking at the curve, and how much the choice matters."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import zeta

from neural_scaling.base.arrays import ArrayValue
from neural_scaling.base.checks import InputError, flag, real, require, require_positive
from neural_scaling.fits.power_law import FloatArray, PowerLawFit, check_curve, check_window, fit_power_law
from neural_scaling.theory._inputs import capacity, richness, source_exponent
from neural_scaling.theory.compute_optimal import frontier
from neural_scaling.theory.exponents import chi, regime
from neural_scaling.theory.kernel_growth import effective_time, kernel_scale, step_of_modes
from neural_scaling.theory.loss_law import bottleneck_exponent, loss_terms

SHORTEST_WINDOW = 1.0 / 3.0
"""Decades below which a window is refused."""


@dataclass(frozen=True)
class Window:
    """A fit window in steps, with the reason for each of its ends.

    Attributes
    ----------
    start, end
        First and last step (real numbers); an infinite first step is one that was never reached.
    start_reason, end_reason
        What set them.
    """

    start: float
    end: float
    start_reason: str = field(compare=False)
    end_reason: str = field(compare=False)

    @property
    def decades(self) -> float:
        """Length, decades; not positive when the window is empty."""
        return math.log10(self.end / self.start) if self.end > 0 and self.start < math.inf else -math.inf

    @property
    def empty(self) -> str:
        """Why the window cannot be used, or an empty string when it can."""
        if self.decades >= SHORTEST_WINDOW:
            return ""
        if math.isinf(self.start):
            return f"no window: {self.start_reason}"
        return (
            f"from step {self.start:.3g} ({self.start_reason}) to step {self.end:.3g} ({self.end_reason}) "
            "there is less than a third of a decade"
        )

    @property
    def span(self) -> tuple[float, float]:
        """``(start, end)`` in steps, for :func:`~neural_scaling.fits.fit_power_law`."""
        return self.start, self.end


@dataclass(frozen=True, eq=False)
class Sensitivity(ArrayValue):
    """How the exponent moves when the ends of a window move.

    Attributes
    ----------
    fit
        Fit in the window itself.
    exponents
        Shape (3, 3): the start divided by the factor, unchanged, multiplied (rows), the end likewise
        (columns); NaN where such a window does not hold three samples or leaves the curve.
    low, high
        Smallest and largest exponent of the table.
    """

    fit: PowerLawFit
    exponents: FloatArray
    low: float
    high: float

    @property
    def spread(self) -> float:
        """``high - low``."""
        return self.high - self.low

    def stable(self, predicted: float, tolerance: float) -> bool:
        """Whether all windows agree on ``|exponent - predicted| <= tolerance``."""
        predicted, tolerance = real(predicted, "predicted"), require_positive(tolerance, "tolerance")
        seen = self.exponents[np.isfinite(self.exponents)]
        inside = np.abs(seen - predicted) <= tolerance
        return bool(np.all(inside) or not np.any(inside))


def theory_window(
    alpha: float,
    beta: float,
    eta: float,
    gamma: float,
    t_max: float,
    N: float = math.inf,
    B: float = math.inf,
    modes: float = 10.0,
    fraction: float = 0.1,
    edge_step: float | None = None,
    allow_empty: bool = False,
) -> Window:
    """Window in which the gradient-flow power should show, from theory alone.

    It starts when ``modes`` modes are learned, ``(eta t + gamma (eta t)^(2-chi))^(1/alpha) = modes``
    (eq. 10). It ends at the first of: the last step; the edge of stability; the step at which a corrected
    finite-size term reaches ``fraction`` of the leading term ``a^-beta``, a being the effective time:

    * model bottleneck ``N^(-alpha min(1, beta))``;
    * finite-N transient ``(1/N) a^-(min(1, beta) - 1/alpha)``;
    * SGD noise: ``(eta/B) a^-(2-1/alpha)`` for super-easy tasks; for hard tasks with feature learning the
      growing relative excess ``(eta/B) K sum_k lambda_k / 2``. The constant factor it gives lazy hard and
      easy tasks leaves the exponent alone and ends nothing.

    Prefactors are one, as in eqs. 8 and 9.

    Parameters
    ----------
    alpha, beta
        Capacity, > 1, and source, > 0.
    eta
        Learning rate, > 0.
    gamma
        Richness, >= 0.
    t_max
        Last step of the curve, > 0.
    N, B
        Width and batch, > 0 or infinite.
    modes
        Number of modes at the start, > 0.
    fraction
        Share of the leading term at which a correction ends the window, between 0 and 1.
    edge_step
        Step at which the run reaches the edge of stability, if it does.
    allow_empty
        Return a window that is too short instead of raising; its :attr:`Window.empty` says why.

    Returns
    -------
    Window
        The window in steps.

    Raises
    ------
    InputError
        If an argument is out of range, or the window is shorter than a third of a decade.
    """
    alpha, beta, gamma = capacity(alpha), source_exponent(beta), richness(gamma)
    eta, t_max = require_positive(eta, "eta"), require_positive(t_max, "t_max")
    fraction = real(fraction, "fraction", "give a share between 0 and 1, for example 0.1", above=0, below=1)
    N, B = (real(size, name, above=0, infinite=True) for name, size in (("N", N), ("B", B)))
    modes, allow_empty = require_positive(modes, "modes"), flag(allow_empty, "allow_empty")
    start = step_of_modes(alpha, beta, gamma, eta, modes)
    ends = [(t_max, "end of the curve")]
    if edge_step is not None:
        edge = real(edge_step, "edge_step", "give a step of at least 0, or None", least=0, infinite=True)
        ends.append((edge, "edge of stability"))
    if start < t_max:
        grid = np.geomspace(start, t_max, 4000)
        for share, reason in _corrections(alpha, beta, eta, gamma, N, B, grid):
            beyond = np.flatnonzero(share >= fraction)
            if beyond.size:
                ends.append((float(grid[beyond[0]]), reason))
    end, end_reason = min(ends)
    window = Window(start, end, f"{modes:g} modes learned", end_reason)
    if window.empty and not allow_empty:
        raise InputError(
            f"window: {window.empty}; run longer, or at larger width or batch, or lower `modes` or raise "
            "`fraction` and say so."
        )
    return window


def late_window(alpha: float, beta: float, gamma: float, last: float, modes: float = 10.0) -> Window:
    """Window of gradient flow at N, B -> infinity in which the kernel has its late form, from theory alone.

    It starts when ``modes`` modes are learned and the part of the kernel with another power of time is down to a tenth,
    ``gamma (eta t)^(1-chi) >= 10`` for a hard task and ``gamma (eta t)^(1-beta) <= 1/10`` for an easy one. A lazy kernel does
    not change; the same conditions at gamma = 1 then hold for the norm of the weights.

    Parameters
    ----------
    alpha
        Capacity, > 1.
    beta
        Source, > 0, not 1, where the kernel grows by logarithms.
    gamma
        Richness, >= 0.
    last
        Last eta * steps of the curve, > 0.
    modes
        Number of modes at the start, > 0.

    Returns
    -------
    Window
        The window in eta * steps; it may be too short, then :attr:`Window.empty` says why.
    """
    alpha, beta, gamma = capacity(alpha), source_exponent(beta), richness(gamma)
    last, modes = require_positive(last, "last"), require_positive(modes, "modes")
    growth = 1 - chi(beta, rich=gamma > 0)
    require(growth != 0, "beta", f"got {beta!r}", "give a source other than 1; there the kernel grows by logarithms")
    strength = gamma if gamma > 0 else 1.0
    settled = (10 / strength if growth > 0 else 10 * strength) ** (1 / abs(growth))
    learned = step_of_modes(alpha, beta, gamma, 1.0, modes)
    start, reason = max((learned, f"{modes:g} modes learned"), (settled, "late form of the kernel"))
    return Window(start, last, reason, "end of the curve")


def frontier_start(
    alpha: float, beta: float, eta: float, gamma: float, c_max: float, B: float = math.inf, least: float = 10.0
) -> float:
    """Compute at which a fit to a compute-optimal frontier may begin, from theory alone.

    There the optimum of the corrected loss law (prefactors one) has ``least`` parameters and has learned as many modes: with
    fewer, sums over modes are not yet power laws. Hard tasks leave SGD noise out, as Table 1 does.

    Parameters
    ----------
    alpha, beta
        Capacity, > 1, and source, > 0.
    eta
        Learning rate, > 0.
    gamma
        Richness, >= 0.
    c_max
        Largest ``eta C`` that is searched, > 1.
    B
        Batch, > 0 or infinite.
    least
        Number of modes and of parameters, > 0.

    Returns
    -------
    float
        C = N t, with t in steps.

    Raises
    ------
    InputError
        If an argument is out of range, or the optimum at ``c_max`` is still too small.
    """
    alpha, beta, gamma = capacity(alpha), source_exponent(beta), richness(gamma)
    eta, least = require_positive(eta, "eta"), require_positive(least, "least")
    c_max = real(c_max, "c_max", above=1.0)
    B = real(B, "B", above=0, infinite=True)
    log_compute = np.linspace(min(1e-3, 0.5 * math.log(c_max)), math.log(c_max), 4000)
    noise = math.inf if regime(alpha, beta) == "hard" else B
    best = frontier(loss_terms(alpha, beta, gamma > 0, "corrected"), log_compute, noise, eta)
    modes = effective_time(beta, gamma, 1.0, np.exp(best.log_time)) ** (1 / alpha)
    small = np.flatnonzero((np.exp(best.log_width) < least) | (modes < least))
    start = int(small[-1]) + 1 if small.size else 0
    problem = f"at {c_max:g} the optimum has fewer than {least:g} modes or parameters"
    require(start < log_compute.size, "c_max", problem, "search further")
    return float(np.exp(log_compute[start]) / eta)


def window_sensitivity(
    t: ArrayLike,
    L: ArrayLike,
    window: tuple[float, float] | Window,
    sigma: ArrayLike | None = None,
    factor: float = 2.0,
) -> Sensitivity:
    """Refit with the start and the end of the window moved by a factor either way.

    Parameters
    ----------
    t
        Increasing positive abscissae, shape (T,).
    L
        Positive values, shape (T,).
    window
        Window to vary.
    sigma
        Standard errors of L, as in :func:`~neural_scaling.fits.fit_power_law`.
    factor
        Factor, > 1.

    Returns
    -------
    Sensitivity
        Table of exponents and its extremes.

    Raises
    ------
    InputError
        As :func:`~neural_scaling.fits.fit_power_law`, or if ``factor <= 1``.
    """
    factor = real(factor, "factor", above=1)
    start, end = window.span if isinstance(window, Window) else check_window(window)
    central = fit_power_law(t, L, (start, end), sigma)
    time, _ = check_curve(t, L)
    table = np.full((3, 3), math.nan)
    for i, first in enumerate((start / factor, start, start * factor)):
        for j, last in enumerate((end / factor, end, end * factor)):
            outside = first < time[0] * (1 - 1e-12) or last > time[-1] * (1 + 1e-12)
            inside = np.count_nonzero((time >= first) & (time <= last))
            if (i, j) == (1, 1):
                table[i, j] = central.exponent
            elif not outside and first < last and inside >= 3:
                table[i, j] = fit_power_law(t, L, (first, last), sigma).exponent
    return Sensitivity(central, table, float(np.nanmin(table)), float(np.nanmax(table)))


def _corrections(
    alpha: float, beta: float, eta: float, gamma: float, N: float, B: float, step: FloatArray
) -> list[tuple[FloatArray, str]]:
    """Each correction as a share of the leading term on a grid of steps, with its name."""
    clock = effective_time(beta, gamma, eta, step)
    leading = clock**-beta
    shares = []
    if math.isfinite(N):
        bottleneck = N ** -bottleneck_exponent(alpha, beta, "corrected")
        shares.append((bottleneck / leading, "model bottleneck"))
        transient = clock ** -(min(1.0, beta) - 1.0 / alpha) / N
        shares.append((transient / leading, "finite-N transient"))
    if math.isfinite(B):
        kind = regime(alpha, beta)
        if kind == "super-easy":
            shares.append((eta / B * clock ** -(2.0 - 1.0 / alpha) / leading, "SGD noise"))
        elif kind == "hard" and gamma > 0:
            excess = 0.5 * eta / B * float(zeta(alpha)) * kernel_scale(beta, gamma, eta, step)
            shares.append((excess, "SGD noise"))
    return shares
