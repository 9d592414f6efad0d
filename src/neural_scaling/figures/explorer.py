"""The explorer of the front page as HTML that needs no server.

Everything the page shows is computed by the library, for every position of the sliders, and handed over as JSON:
curves, guide lines, axis limits, tick marks, numbers already printed as text. The script in ``explorer.html`` looks
up and draws; it holds no formula of the theory, so no second implementation can disagree with the first.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, TypeAlias

import numpy as np

from neural_scaling.figures.style import LAZY, RICH
from neural_scaling.items.explorer import SLOPE_DECADES, Explorer, Task
from neural_scaling.spectra import Array

_GUIDE_DECADES = 1.2
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

#: What the page receives: text, numbers, lists and objects.
Json: TypeAlias = dict[str, Any]


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
        (axis and points), ``band`` (interval of the measured slope) and ``tasks`` (by alpha, then beta; ``axis`` is
        that of the loss, ``curves`` holds the lazy curve, then one for each gamma).
    """
    grids = (explorer.alphas, explorer.betas, explorer.gammas)
    end = float(explorer.time[-1])
    return {
        "alpha": [f"{value:g}" for value in explorer.alphas],
        "beta": [f"{value:g}" for value in explorer.betas],
        "gamma": [f"{value:g}" for value in explorer.gammas],
        "start": [int(np.argmin(np.abs(np.array(grid) - value))) for grid, value in zip(grids, start, strict=True)],
        "time": {"points": _rounded(explorer.time), **_axis(float(explorer.time[0]), end)},
        "band": _rounded([end * 10**-SLOPE_DECADES, end]),
        "tasks": [[_task_data(task, explorer.time) for task in row] for row in explorer.tasks],
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
        "axis": _axis(lowest / clear, highest * clear),
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


def _axis(low: float, high: float) -> Json:
    """Return the limits of a logarithmic axis and its ticks as pairs of value and text."""
    decades = math.log10(high / low)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    if decades < 2.5:
        digits = (1, 2, 5) if decades > 0.9 else (1, 1.5, 2, 3, 4, 5, 6, 8)
        values = [(digit * 10.0**power, f"{digit * 10.0**power:g}") for power in range(first, last) for digit in digits]
    elif decades < 3.5 and low >= 0.009:
        values = [(10.0**power, f"{10.0**power:g}") for power in range(first, last + 1)]
    else:
        values = [(10.0**power, "10" + str(power).translate(_SUPERSCRIPTS)) for power in range(first, last + 1)]
    slack = 1 + 1e-9
    ticks = [[_rounded([value])[0], text] for value, text in values if low / slack <= value <= high * slack]
    return {"low": _rounded([low])[0], "high": _rounded([high])[0], "ticks": ticks}


def _rounded(values: Sequence[float] | Array) -> list[float]:
    """Return plain numbers with four significant digits, short in JSON."""
    return [float(f"{value:.4g}") for value in values]
