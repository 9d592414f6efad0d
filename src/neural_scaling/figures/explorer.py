"""The explorer of the front page: loss curves and exponents on a grid, in a page that needs no server.

Everything the page shows is computed here by the library, for every position of the sliders, and handed over as JSON:
curves, guide lines, axis limits, tick marks, numbers already printed as text. The script in ``explorer.html`` looks
up and draws; it holds no formula of the theory, so no second implementation can disagree with the first.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, TypeAlias

import numpy as np

from neural_scaling.checks import require, require_positive
from neural_scaling.dmft import infinite_limit
from neural_scaling.figures.style import LAZY, RICH
from neural_scaling.fits import fit_power_law
from neural_scaling.notebook import progress
from neural_scaling.spectra import Array, ModeQuadrature, PowerLaw
from neural_scaling.theory import ComputeOptimum, Regime, chi, compute_optimum, kernel_scale, super_easy_boundary

#: Learning rates are chosen so that eta times the predicted scale of the kernel stays below this; steps turn unstable at 2.
_TARGET_SHARPNESS = 0.8
#: The prefactor of the predicted scale is one; the measured scale has stayed below twice the predicted one.
_MARGIN = 2.0
#: What eta times the sharpness may reach before the curves no longer stand for gradient flow.
_LARGEST_SHARPNESS = 1.2
#: Length of the interval at the end of a curve in which its slope is measured, decades.
_SLOPE_DECADES = 0.5
_GUIDE_DECADES = 1.2
_CURVE_POINTS = 40
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

#: What the page receives: text, numbers, lists and objects.
Json: TypeAlias = dict[str, Any]


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
        good = len(values) > 0 and all(a < b for a, b in zip(values, values[1:], strict=False))
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
        explorer.largest_sharpness <= _LARGEST_SHARPNESS,
        "eta",
        f"got {eta!r}, with which eta times the sharpness reaches {explorer.largest_sharpness:.2f}",
        f"take a smaller one, so that it stays below {_LARGEST_SHARPNESS:g}",
    )
    return explorer


def explorer_data(explorer: Explorer, start: tuple[float, float, float]) -> Json:
    """Return what the page receives: numbers of the curves, and everything else as text ready to be shown.

    Parameters
    ----------
    explorer
        From :func:`compute_explorer`.
    start
        alpha, beta, gamma at which the sliders stand first; the nearest positions are taken.

    Returns
    -------
    dict
        Keys ``alpha``, ``beta``, ``gamma`` (texts of the slider positions), ``start`` (their indices), ``time``
        (axis and points), ``band`` (interval of the measured slope), ``loss`` (axis for each beta) and ``tasks``
        (by alpha, then beta; ``curves`` holds the lazy curve, then one for each gamma).
    """
    grids = (explorer.alphas, explorer.betas, explorer.gammas)
    end = float(explorer.time[-1])
    loss_axes = [_loss_axis(explorer, j) for j in range(len(explorer.betas))]
    return {
        "alpha": [f"{value:g}" for value in explorer.alphas],
        "beta": [f"{value:g}" for value in explorer.betas],
        "gamma": [f"{value:g}" for value in explorer.gammas],
        "start": [int(np.argmin(np.abs(np.array(grid) - value))) for grid, value in zip(grids, start, strict=True)],
        "time": {"points": _rounded(explorer.time), **_axis(float(explorer.time[0]), end)},
        "band": _rounded([end * 10**-_SLOPE_DECADES, end]),
        "loss": loss_axes,
        "tasks": [
            [_task_data(task, explorer.time, axis) for task, axis in zip(row, loss_axes, strict=True)]
            for row in explorer.tasks
        ],
    }


def explorer_html(explorer: Explorer, start: tuple[float, float, float]) -> str:
    """Return the explorer as one piece of HTML with style, data and script inside, and no outside request.

    Parameters
    ----------
    explorer
        From :func:`compute_explorer`.
    start
        alpha, beta, gamma at which the sliders stand first; the nearest positions are taken.

    Returns
    -------
    str
        To be shown with ``IPython.display.HTML``.
    """
    template = files("neural_scaling.figures").joinpath("explorer.html").read_text(encoding="utf-8")
    filled = template.replace("__LAZY__", LAZY).replace("__RICH__", RICH)
    return filled.replace("__DATA__", script_safe_json(explorer_data(explorer, start)))


def script_safe_json(data: Json) -> str:
    """Return data as JSON that can stand inside an HTML ``script`` element.

    The characters that could end the element or begin a comment or an entity are written as escapes, which mean
    the same to a JSON parser.

    Raises
    ------
    ValueError
        If a number is NaN or infinite.
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


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
    fit = fit_power_law(eta * whole, solution.loss, (end * 10**-_SLOPE_DECADES, end))
    sharpness = eta / division * float(np.max(solution.sharpness))
    return Curve(gamma, eta / division, steps, solution.loss, fit.exponent, sharpness)


def _task_data(task: Task, time: Array, axis: Json) -> Json:
    lazy, rich = task.chi
    if rich > lazy:
        verdict = f"feature learning raises the exponent of the loss in time from {lazy:.2f} to {rich:.2f}."
    else:
        verdict = f"feature learning leaves the exponent of the loss in time at {lazy:.2f} and improves the constant."
    if task.on_boundary:
        verdict += " This is the boundary of two regimes, where logarithms multiply the powers."
    # Guides stand clear of the curves, the lazy one above and the rich ones below.
    clear = (axis["high"] / axis["low"]) ** 0.06
    return {
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
                "guide": _guide(time, curve.loss, lazy if curve.gamma == 0 else rich, clear, curve.gamma == 0),
            }
            for curve in task.curves
        ],
    }


def _guide(time: Array, loss: Array, exponent: float, clear: float, above: bool) -> list[list[float]]:
    """Return the two ends (time, loss) of a straight line of slope ``-exponent`` beside the end of a curve."""
    start = int(np.searchsorted(time, time[-1] * 10**-_GUIDE_DECADES))
    first = float(loss[start]) * (clear if above else 1 / clear)
    last = first * float(time[-1] / time[start]) ** -exponent
    return [_rounded([time[start], first]), _rounded([time[-1], last])]


def _loss_axis(explorer: Explorer, j: int) -> Json:
    # One axis for all positions of the other two sliders: their effect shows as curves that move.
    losses = np.concatenate([curve.loss for row in explorer.tasks for curve in row[j].curves])
    low, high = float(losses.min()), float(losses.max())
    margin = (high / low) ** 0.1
    return _axis(low / margin, high * margin)


def _axis(low: float, high: float) -> Json:
    """Return the limits of a logarithmic axis and its ticks as pairs of value and text."""
    decades = math.log10(high / low)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    if decades < 2:
        values = [
            (digit * 10.0**power, f"{digit * 10.0**power:g}") for power in range(first, last) for digit in (1, 2, 5)
        ]
    elif decades < 3.5 and low >= 0.009:
        values = [(10.0**power, f"{10.0**power:g}") for power in range(first, last + 1)]
    else:
        values = [
            (10.0**power, f"10{power}".replace(f"10{power}", "10" + str(power).translate(_SUPERSCRIPTS)))
            for power in range(first, last + 1)
        ]
    slack = 1 + 1e-9
    ticks = [[_rounded([value])[0], text] for value, text in values if low / slack <= value <= high * slack]
    return {"low": _rounded([low])[0], "high": _rounded([high])[0], "ticks": ticks}


def _rounded(values: Sequence[float] | Array) -> list[float]:
    """Return plain numbers with four significant digits, short in JSON."""
    return [float(f"{value:.4g}") for value in values]
