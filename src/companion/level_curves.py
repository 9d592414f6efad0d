"""The levels of the approximation behind chi, integrated beside the exact loss of one hard task."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.figure import Figure

from companion.claims import Measurement
from companion.parameters import Parameters
from companion.style import MUTED, SERIES, drawing, plain_ticks
from neural_scaling.dmft import KernelFlow
from neural_scaling.fits import fit_power_law
from neural_scaling.theory import chi, chi_level, level_curve, self_similar_solution


def level_losses(plan: Parameters, flow: KernelFlow) -> pd.DataFrame:
    """Integrate the levels of eqs. 60-62, and eq. 67 as level infinity: a column each over eta t, the exact loss the last."""
    common, levels = (plan.alpha, plan.quoted_hard, plan.gamma, flow.time), (*range(plan.levels + 1), math.inf)
    columns = {f"{level}": level_curve(*common, level) for level in levels}
    return pd.DataFrame({**columns, "exact": flow.loss}, index=flow.time)


def level_exponents(plan: Parameters, losses: pd.DataFrame, window: tuple[float, float]) -> pd.DataFrame:
    """Fit the loss of every level in the window of the exact curve."""
    rows = []
    for level, loss in losses.items():
        predicted = chi(plan.quoted_hard) if level == "exact" else chi_level(plan.quoted_hard, float(str(level)))
        rows.append((level, predicted, *Measurement.exponent(fit_power_law(losses.index, loss, window)).columns()))
    return pd.DataFrame(rows, columns=["level", "predicted", "exponent", "interval", "window"])


def closures(plan: Parameters, losses: pd.DataFrame) -> pd.DataFrame:
    """Compare the loss of the self-consistent closure with the exact one, measured and by their late solutions."""
    solution = self_similar_solution(plan.alpha, plan.quoted_hard, plan.gamma)
    rows = [
        ("measured at the last time", losses.inf.iloc[-1] / losses.exact.iloc[-1]),
        ("late solutions", solution.closure_ratio()),
        ("late solutions, exact rate of the scale", solution.closure_ratio(exact_rate=True)),
    ]
    return pd.DataFrame(rows, columns=["source", "ratio"])


def level_figure(losses: pd.DataFrame, window: tuple[float, float]) -> Figure:
    """Draw the loss at each level of approximation over the exact loss."""
    with drawing(5.2) as (figure, axes):
        for level, color in zip(losses.columns.drop("exact"), SERIES, strict=False):
            name, style = (r"$\infty$", "-") if level == "inf" else (level, "--" if int(level) % 2 else "-")
            axes.loglog(losses.index, losses[level] / losses.exact, style, color=color, label=f"level {name}")
        axes.axhline(1, color=MUTED, linewidth=1.2, linestyle=":")
        plain_ticks(axes.yaxis)
        axes.axvspan(*window, color=MUTED, alpha=0.08, linewidth=0)
        axes.set(xlabel=r"$\eta t$", ylabel="loss over exact loss")
        axes.legend(loc="upper left")
    return figure
