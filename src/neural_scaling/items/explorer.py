"""The explorer of the front page: loss curves and exponents at every position of three sliders."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neural_scaling.checks import require, require_positive
from neural_scaling.dmft import infinite_limit
from neural_scaling.fits import fit_power_law
from neural_scaling.spectra import Array, ModeQuadrature, PowerLaw
from neural_scaling.terminal import progress
from neural_scaling.theory import ComputeOptimum, Regime, chi, compute_optimum, kernel_scale, super_easy_boundary

#: Learning rates are chosen so that eta times the predicted scale of the kernel stays below this; steps turn unstable at 2.
_TARGET_SHARPNESS = 0.8
#: The prefactor of the predicted scale is one; the measured scale has stayed below twice the predicted one.
_MARGIN = 2.0
#: What eta times the sharpness may reach before the curves no longer stand for gradient flow.
LARGEST_SHARPNESS = 1.2
#: Length of the interval at the end of a curve in which its slope is measured, decades.
SLOPE_DECADES = 0.5
_CURVE_POINTS = 40


@dataclass(frozen=True)
class Curve:
    """One loss curve in the limit of infinite width and batch.

    Attributes
    ----------
    gamma
        Richness, 0 for the lazy limit.
    eta
        Learning rate of this curve.
    steps
        Number of unit steps to its end.
    loss
        Loss at the times of the :class:`Explorer`, shape (P,).
    slope
        Decay exponent fitted to the last half decade.
    sharpness
        Largest value along the curve of eta times the sharpness; gradient descent is at the edge of stability at 2.
    """

    gamma: float
    eta: float
    steps: int
    loss: Array
    slope: float
    sharpness: float


@dataclass(frozen=True)
class Task:
    """One pair (alpha, beta): what theory says, and the curves.

    Attributes
    ----------
    alpha, beta
        Capacity and source.
    regime
        Hard, easy or super-easy.
    on_boundary
        True where two regimes meet and logarithms multiply the powers.
    chi
        Exponent of the loss in time, lazy and rich (eq. 10).
    optimum
        Compute-optimal exponents, lazy and rich (Table 1).
    curves
        The lazy curve, then one for each richness of the :class:`Explorer`.
    """

    alpha: float
    beta: float
    regime: Regime
    on_boundary: bool
    chi: tuple[float, float]
    optimum: tuple[ComputeOptimum, ComputeOptimum]
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class Explorer:
    """All that the sliders can reach.

    Attributes
    ----------
    alphas, betas, gammas
        Positions of the three sliders, ascending; gammas are positive, the lazy curve is always there.
    time
        Times at which every curve is given, eta * steps, shape (P,), log-spaced.
    tasks
        ``tasks[i][j]`` belongs to ``alphas[i]`` and ``betas[j]``.
    """

    alphas: tuple[float, ...]
    betas: tuple[float, ...]
    gammas: tuple[float, ...]
    time: Array
    tasks: tuple[tuple[Task, ...], ...]

    @property
    def largest_sharpness(self) -> float:
        """Largest eta times sharpness on any curve."""
        return max(curve.sharpness for row in self.tasks for task in row for curve in task.curves)


def compute_explorer(
    alphas: Sequence[float], betas: Sequence[float], gammas: Sequence[float], time: float, eta: float
) -> Explorer:
    """Compute every curve and number of the explorer.

    All curves share one grid of times. Where feature learning makes the kernel so large that steps of ``eta`` would
    come near the edge of stability, a whole fraction of ``eta`` is used instead, with as many more steps; how large the
    kernel will be is taken from :func:`~neural_scaling.theory.kernel_scale`, and checked afterwards.

    Parameters
    ----------
    alphas
        Capacities, each above 1, ascending.
    betas
        Sources, positive, ascending.
    gammas
        Richness of the rich curve, positive, ascending.
    time
        End of the curves, in eta * steps.
    eta
        Learning rate where the kernel stays small; also the first time shown.

    Returns
    -------
    Explorer

    Raises
    ------
    InputError
        If a list is empty, not ascending or out of range, ``time`` is less than ten times ``eta``, or a curve comes
        too near the edge of stability to stand for gradient flow.
    """
    for name, values in (("alphas", alphas), ("betas", betas), ("gammas", gammas)):
        good = len(values) > 0 and all(a < b for a, b in itertools.pairwise(values))
        require(good, name, f"got {list(values)!r}", "give at least one value, ascending, each once")
    require(min(gammas) > 0, "gammas", f"got {list(gammas)!r}", "give positive values; the lazy curve is always shown")
    require_positive(eta, "eta")
    require_positive(time, "time")
    require(time >= 10 * eta, "time", f"got {time!r}", f"give at least ten steps of eta, {10 * eta:g}")
    whole = np.unique(np.round(np.geomspace(1, round(time / eta), _CURVE_POINTS)))
    pairs = [(alpha, beta) for alpha in alphas for beta in betas]
    tasks = [_task(alpha, beta, gammas, eta, whole) for alpha, beta in progress(pairs, "explorer")]
    rows = tuple(tuple(tasks[i : i + len(betas)]) for i in range(0, len(tasks), len(betas)))
    explorer = Explorer(tuple(alphas), tuple(betas), tuple(gammas), eta * whole, rows)
    require(
        explorer.largest_sharpness <= LARGEST_SHARPNESS,
        "eta",
        f"got {eta!r}, with which eta times the sharpness reaches {explorer.largest_sharpness:.2f}",
        f"take a smaller one, so that it stays below {LARGEST_SHARPNESS:g}",
    )
    return explorer


def _task(alpha: float, beta: float, gammas: Sequence[float], eta: float, whole: Array) -> Task:
    time = eta * float(whole[-1])
    growth = float(kernel_scale(beta, max(gammas), 1.0, time))
    quadrature = PowerLaw(alpha, beta).quadrature(_MARGIN * growth * time)
    curves = tuple(_curve(quadrature, beta, gamma, eta, whole) for gamma in (0.0, *gammas))
    boundaries = (1.0, float(super_easy_boundary(alpha)))
    return Task(
        alpha,
        beta,
        compute_optimum(alpha, beta, rich=True).regime,
        any(math.isclose(beta, boundary, rel_tol=1e-9) for boundary in boundaries),
        (chi(beta, rich=False), chi(beta, rich=True)),
        (compute_optimum(alpha, beta, rich=False), compute_optimum(alpha, beta, rich=True)),
        curves,
    )


def _curve(quadrature: ModeQuadrature, beta: float, gamma: float, eta: float, whole: Array) -> Curve:
    growth = float(kernel_scale(beta, gamma, eta, whole[-1]))
    division = math.ceil(eta * growth / _TARGET_SHARPNESS)
    steps = int(whole[-1]) * division
    solution = infinite_limit(quadrature, eta / division, gamma, steps, whole * division)
    end = eta * float(whole[-1])
    fit = fit_power_law(eta * whole, solution.loss, (end * 10**-SLOPE_DECADES, end))
    sharpness = eta / division * float(np.max(solution.sharpness))
    return Curve(gamma, eta / division, steps, solution.loss, fit.exponent, sharpness)
