"""The front page: the main result on one easy and one hard task, and the exponents in one table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.claims import Measurement
from companion.parameters import Parameters
from companion.style import LAZY, MUTED, RICH, drawing
from neural_scaling.base.arrays import Array
from neural_scaling.fits import PowerLawFit, fit_power_law, theory_window
from neural_scaling.models.runs import InfiniteLimitRun
from neural_scaling.runs import obtain
from neural_scaling.theory import chi, compute_optimum, edge_of_stability_step, regime


class Plan(Parameters):
    """Parameters of the page."""


@dataclass(frozen=True)
class MeasuredCurve:
    """A loss curve at N, B -> infinity with its exponent."""

    beta: float  # source
    gamma: float  # richness, 0 for the lazy limit
    time: Array  # eta * steps, positive, shape (R,)
    loss: Array  # shape (R,)
    sharpness: float  # largest value of eta times the sharpness; gradient descent is at the edge of stability at 2
    predicted: float  # exponent that theory gives (eq. 10)
    fit: PowerLawFit  # in the window that theory gives, in eta * steps


def measured_curves(plan: Plan, beta: float) -> list[MeasuredCurve]:
    """Solve one task with infinitely many modes, lazy and rich, and fit each curve."""
    alpha, eta, steps = plan.alpha, plan.eta, plan.steps
    curves = []
    for gamma in (0.0, plan.gamma):
        arrays = obtain(InfiniteLimitRun(alpha, beta, math.inf, eta, gamma, steps), plan.item, plan.scale).arrays
        edge = edge_of_stability_step(beta, gamma, eta)
        window = theory_window(alpha, beta, eta, gamma, steps, edge_step=edge if edge < math.inf else None)
        time, loss = eta * arrays["step"][1:], arrays["loss"][1:]
        fit = fit_power_law(time, loss, (eta * window.start, eta * window.end))
        sharpness = eta * float(np.max(arrays["sharpness"]))
        curves.append(MeasuredCurve(beta, gamma, time, loss, sharpness, chi(beta, rich=gamma > 0), fit))
    return curves


def exponents(plan: Plan, curves: Sequence[MeasuredCurve]) -> pd.DataFrame:
    """Return the exponents of the loss in time, predicted and measured, and in compute, of every task, lazy and rich."""
    fits = {(curve.beta, curve.gamma > 0): curve.fit for curve in curves}
    rows = []
    for beta, rich in itertools.product((plan.beta_hard, plan.beta_easy, plan.beta_super_easy), (False, True)):
        found = Measurement.exponent(fits.get((beta, rich)))
        task = f"{regime(plan.alpha, beta)}, {'rich' if rich else 'lazy'}"
        optimum = compute_optimum(plan.alpha, beta, rich).r
        rows.append((task, beta, chi(beta, rich), *found.columns()[:2], optimum))
    return pd.DataFrame(rows, columns=["task", "beta", "predicted", "exponent", "interval", "optimum"])


def draw(panels: Sequence[Sequence[MeasuredCurve]]) -> Figure:
    """Draw loss against time, one panel for each task."""
    with drawing(4.0, 1, len(panels)) as (figure, sheet):
        for axes, curves in zip(sheet, panels, strict=True):
            for curve in curves:
                rich = curve.gamma > 0
                color, name = (RICH, rf"rich, $\gamma = {curve.gamma:g}$") if rich else (LAZY, "lazy")
                axes.loglog(curve.time, curve.loss, color=color, label=name)
                _guide(axes, curve, color)
            kind = "hard" if curves[0].beta < 1 else "easy"
            axes.set(title=rf"{kind} task, $\beta = {curves[0].beta:g}$", xlabel=r"time $t = \eta \times$ steps")
            axes.legend(loc="lower left")
        figure.axes[0].set_ylabel("loss")
    return figure


def _guide(axes: Axes, curve: MeasuredCurve, color: str) -> None:
    """Draw the predicted power beside the fitted part of a curve."""
    rich = curve.gamma > 0
    start, end = curve.time[-1] / 30, curve.time[-1]
    first = float(np.interp(start, curve.time, curve.loss))
    low, high = axes.get_ylim()
    clear = (high / low) ** 0.05
    time = np.array([start, end])
    loss = first * (1 / clear if rich else clear) * (time / start) ** -curve.predicted
    axes.loglog(time, loss, "--", color=color, linewidth=1.3)
    axes.annotate(
        rf"$t^{{-{curve.predicted:.2g}}}$",
        (float(np.sqrt(time.prod())), float(np.sqrt(loss.prod()))),
        (-8, -16) if rich else (8, 8),
        textcoords="offset points",
        ha="right" if rich else "left",
        color=MUTED,
    )
