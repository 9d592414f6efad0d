"""The finite-N transient: exact lazy coefficients, long rich runs, simulation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neural_scaling.figures.style import INK, MUTED, book_style, new_figure, richness_color
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.items.transient import Row, Simulated

_COLORS = ("#0072b2", "#c2410c", "#0d8577", "#8e1a4f", "#7a7a12", "#7c3aed")


def coefficient_figure(rows: Sequence[Row]) -> Figure:
    """Draw the coefficient of 1/N against time for several tasks.

    Parameters
    ----------
    rows
        Lazy or rich rows.

    Returns
    -------
    matplotlib.figure.Figure
        Lines: coefficient. Dashed: corrected power through the end of the window. Dotted: printed power where it differs.
    """
    with book_style():
        figure = new_figure(5.6)
        axes = figure.subplots()
        _coefficients(axes, rows)
        axes.set_xlabel(r"$\eta t$")
        axes.set_ylabel(r"$N (L_N - L_\infty)$, $N \to \infty$")
    return figure


def rich_figure(rows: Sequence[Row]) -> Figure:
    """Draw the rich coefficient against time and, divided by its corrected power, against the effective time.

    Parameters
    ----------
    rows
        Rich rows.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels.
    """
    with book_style():
        figure = new_figure(8.6)
        upper, lower = figure.subplots(2, 1)
        _coefficients(upper, rows)
        upper.set_xlabel(r"$\eta t$")
        upper.set_ylabel(r"$N (L_N - L_\infty)$, $N \to \infty$")
        upper.set_xlim(left=1)
        upper.set_title("(a) against time")
        for row, color in zip(rows, _COLORS, strict=False):
            late = row.time >= 10
            scaled = row.coefficient * row.clock**row.corrected_clock
            lower.loglog(row.clock[late], scaled[late] / scaled[-1], color=color, label=_name(row))
            printed = row.clock ** (row.corrected_clock - (1 - 1 / row.alpha))
            if abs(row.corrected_clock - (1 - 1 / row.alpha)) > 1e-9:
                lower.loglog(row.clock[late], printed[late] / printed[late][0], ":", color=color, linewidth=1.6)
        lower.set_xlabel(r"effective time $\int K\, dt$")
        lower.set_ylabel("coefficient / corrected power")
        lower.set_title("(b) on the clock of the kernel")
        lower.plot([], [], ":", color=INK, linewidth=1.6, label="as printed")
        lower.legend(loc="lower left")
    return figure


def simulation_figure(simulations: Sequence[Simulated]) -> Figure:
    """Draw the simulated excess beside the theory.

    Parameters
    ----------
    simulations
        One per richness.

    Returns
    -------
    matplotlib.figure.Figure
        Lines and bands: mean and 95 % interval over seeds. Dashed: theory. Dotted: the printed power.
    """
    with book_style():
        figure = new_figure(5.2)
        axes = figure.subplots()
        for row in simulations:
            color = richness_color(row.gamma)
            axes.loglog(row.time, row.excess, color=color, label=rf"$\gamma = {row.gamma:g}$")
            low = np.maximum(row.excess - NORMAL_95 * row.error, 0.05 * row.excess)
            axes.fill_between(row.time, low, row.excess + NORMAL_95 * row.error, color=color, alpha=0.2, linewidth=0)
            axes.loglog(row.time, row.theory, "--", color=color, linewidth=1.4)
            inside = row.time >= row.window[0]
            start = row.theory[inside][0]
            printed = start * (row.time[inside] / row.time[inside][0]) ** -row.paper
            axes.loglog(row.time[inside], printed, ":", color=color, linewidth=1.6)
        axes.plot([], [], "--", color=INK, linewidth=1.4, label="theory")
        axes.plot([], [], ":", color=INK, linewidth=1.6, label="printed power")
        axes.set_xlabel(r"$\eta t$")
        axes.set_ylabel(r"$N (L_N - L_\infty)$")
        axes.legend(loc="lower left")
    return figure


def _coefficients(axes: Axes, rows: Sequence[Row]) -> None:
    for row, color in zip(rows, _COLORS, strict=False):
        axes.loglog(row.time, row.coefficient, color=color, label=_name(row))
        first, last = row.fit.window
        span = np.geomspace(first, last, 2)
        anchor = float(np.interp(np.log(last), np.log(row.time), np.log(row.coefficient)))
        axes.loglog(span, 1.35 * np.exp(anchor) * (span / last) ** -row.corrected, "--", color=INK, linewidth=1.1)
        if abs(row.paper - row.corrected) > 1e-9:
            begin = float(np.interp(np.log(first), np.log(row.time), np.log(row.coefficient)))
            axes.loglog(span, np.exp(begin) * (span / first) ** -row.paper, ":", color=color, linewidth=1.6)
    axes.plot([], [], "--", color=INK, linewidth=1.1, label="corrected power")
    axes.plot([], [], ":", color=MUTED, linewidth=1.6, label="printed power")
    axes.legend(loc="lower left", fontsize=10)


def _name(row: Row) -> str:
    return rf"$\alpha = {row.alpha:g},\ \beta = {row.beta:g}$"
