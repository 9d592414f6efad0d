"""The explorer of the front page: loss curves and exponents at every position of three sliders."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, TypeAlias

import numpy as np

from companion.style import LAZY, RICH
from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import require, require_positive
from neural_scaling.base.terminal import progress
from neural_scaling.dmft import infinite_limit
from neural_scaling.fits import fit_power_law
from neural_scaling.spectra import ModeQuadrature, PowerLaw
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
    """One loss curve in the limit of infinite width and batch."""

    gamma: float  # richness, 0 for the lazy limit
    eta: float  # learning rate of this curve
    steps: int  # number of unit steps to its end
    loss: Array  # loss at the times of the Explorer, shape (P,)
    slope: float  # decay exponent fitted to the last half decade
    # largest value along the curve of eta times the sharpness; gradient descent is at the edge of stability at 2
    sharpness: float


@dataclass(frozen=True)
class Task:
    """One pair (alpha, beta): what theory says, and the curves."""

    # alpha, beta: capacity and source
    alpha: float
    beta: float
    regime: Regime  # hard, easy or super-easy
    on_boundary: bool  # true where two regimes meet and logarithms multiply the powers
    chi: tuple[float, float]  # exponent of the loss in time, lazy and rich (eq. 10)
    optimum: tuple[ComputeOptimum, ComputeOptimum]  # compute-optimal exponents, lazy and rich (Table 1)
    curves: tuple[Curve, ...]  # the lazy curve, then one for each richness of the Explorer


@dataclass(frozen=True)
class Explorer:
    """All that the sliders can reach."""

    # alphas, betas, gammas: positions of the three sliders, ascending; gammas are positive, the lazy curve is
    # always there
    alphas: tuple[float, ...]
    betas: tuple[float, ...]
    gammas: tuple[float, ...]
    time: Array  # times at which every curve is given, eta * steps, shape (P,), log-spaced
    tasks: tuple[tuple[Task, ...], ...]  # tasks[i][j] belongs to alphas[i] and betas[j]

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


_GUIDE_DECADES = 1.2

_PARTS = {"__STYLE__": "explore.css"} | {f"__{name.upper()}__": f"{name}.js" for name in ("plots", "theory", "explore")}

#: What the page receives: text, numbers, lists and objects.
Json: TypeAlias = dict[str, Any]


def explorer_data(explorer: Explorer, start: tuple[float, float, float]) -> Json:
    """Return what the page receives: numbers of the curves, and everything else as text ready to be shown."""
    grids = (explorer.alphas, explorer.betas, explorer.gammas)
    end, points = float(explorer.time[-1]), _rounded(explorer.time)
    return {
        "alpha": [f"{value:g}" for value in explorer.alphas],
        "beta": [f"{value:g}" for value in explorer.betas],
        "gamma": [f"{value:g}" for value in explorer.gammas],
        "start": [int(np.argmin(np.abs(np.array(grid) - value))) for grid, value in zip(grids, start, strict=True)],
        "time": {"points": points, "low": points[0], "high": points[-1]},
        "band": _rounded([end * 10**-SLOPE_DECADES, end]),
        "tasks": [[_task_data(task, explorer.time) for task in row] for row in explorer.tasks],
    }


def explorer_html(explorer: Explorer, start: tuple[float, float, float]) -> str:
    """Return the explorer as one piece of HTML with style, data and script inside, and no outside request."""
    return filled(_part("explorer.html"), explorer_data(explorer, start))


def filled(template: str, data: Json) -> str:
    """Return HTML with the style and script that all explorers share, and data, in their places."""
    template = template.replace("__DATA__", script_safe_json(data))
    for place, name in _PARTS.items():
        template = template.replace(place, _part(name))
    return template.replace("__LAZY__", LAZY).replace("__RICH__", RICH)


def _part(name: str) -> str:
    return files("companion").joinpath(name).read_text(encoding="utf-8")


def script_safe_json(data: Json) -> str:
    """Return data as JSON in which no character can end an HTML ``script`` element or begin a comment or an entity."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _task_data(task: Task, time: Array) -> Json:
    lazy, rich = task.chi
    if rich > lazy:
        verdict = f"feature learning raises the exponent of the loss in time from {lazy:.2f} to {rich:.2f}."
    else:
        verdict = f"feature learning leaves the exponent of the loss in time at {lazy:.2f} and improves the constant."
    if task.on_boundary:
        verdict += " This is the boundary of two regimes, where logarithms multiply the powers."
    losses = np.concatenate([curve.loss for curve in task.curves])
    clear = float(losses.max() / losses.min()) ** 0.05
    guides = [
        _guide(time, curve.loss, rich if curve.gamma > 0 else lazy, clear, above=curve.gamma == 0)
        for curve in task.curves
    ]
    # The axis holds the curves of every richness, so that this slider moves a curve and not the axis.
    lowest, highest = min(float(losses.min()), *(guide[1][1] for guide in guides)), float(losses.max())
    return {
        "axis": dict(zip(("low", "high"), _rounded([lowest / clear, highest * clear]), strict=True)),
        "regime": task.regime,
        "verdict": f"{task.regime.capitalize()} task: {verdict}",
        "chi": [f"{value:.2f}" for value in task.chi],
        "r": [f"{optimum.r:.2f}" for optimum in task.optimum],
        "a": [f"{optimum.a:.2f}" for optimum in task.optimum],
        "curves": [
            {
                "loss": _rounded(curve.loss),
                "slope": f"{curve.slope:.2f}",
                "eta": f"{curve.eta:.2g}",
                "steps": f"{curve.steps:,}".replace(",", "\u202f"),
                "guide": guide,
            }
            for curve, guide in zip(task.curves, guides, strict=True)
        ],
    }


def _guide(time: Array, loss: Array, exponent: float, clear: float, above: bool) -> list[list[float]]:
    """Return the two ends (time, loss) of a line of slope ``-exponent`` that keeps clear of the end of a curve."""
    late = time >= time[-1] * 10**-_GUIDE_DECADES
    power = time[late] ** -exponent
    ratio = loss[late] / power
    line = power * float(ratio.max() * clear if above else ratio.min() / clear)
    return [_rounded([time[late][0], line[0]]), _rounded([time[-1], line[-1]])]


def _rounded(values: Sequence[float] | Array) -> list[float]:
    """Return plain numbers with four significant digits, short in JSON."""
    return [float(f"{value:.4g}") for value in values]
