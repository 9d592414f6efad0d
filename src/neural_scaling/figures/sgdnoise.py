"""The SGD term: exact lazy coefficients, the constant factor, and the growing excess of rich hard tasks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from neural_scaling.figures.style import INK, MUTED, book_style, new_figure
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.items.sgdnoise import ExactRow, LazyRow, RichRow, Simulated
from neural_scaling.theory import regime

_COLORS = ("#0072b2", "#c2410c", "#0d8577", "#8e1a4f", "#7a7a12", "#7c3aed")


def lazy_figure(rows: Sequence[LazyRow]) -> Figure:
    """Draw the exact coefficient of eta/B, and relative to the loss.

    Parameters
    ----------
    rows
        Lazy tasks.

    Returns
    -------
    matplotlib.figure.Figure
        (a) coefficient with corrected (dashed) and printed (dotted) powers; (b) over ``L_inf sum_k lambda_k / 2``.
    """
    with book_style():
        figure = new_figure(8.8)
        upper, lower = figure.subplots(2, 1)
        for row, color in zip(rows, _COLORS, strict=False):
            name = rf"$\alpha = {row.alpha:g},\ \beta = {row.beta:g}$ ({row.regime})"
            upper.loglog(row.time, row.coefficient, color=color, label=name)
            first, last = row.fit.window
            span = np.geomspace(first, last, 2)
            anchor = float(np.interp(np.log(first), np.log(row.time), np.log(row.coefficient)))
            upper.loglog(span, 1.5 * np.exp(anchor) * (span / first) ** -row.corrected, "--", color=INK, linewidth=1.1)
            if abs(row.paper - row.corrected) > 1e-9:
                upper.loglog(span, np.exp(anchor) * (span / first) ** -row.paper, ":", color=color, linewidth=1.6)
            lower.loglog(row.time, row.relative, color=color)
        upper.plot([], [], "--", color=INK, linewidth=1.1, label="corrected power")
        upper.plot([], [], ":", color=MUTED, linewidth=1.6, label="printed power")
        upper.legend(loc="lower left", fontsize=10)
        upper.set_ylabel(r"$(B/\eta)(L_B - L_\infty)$")
        upper.set_title(r"(a) coefficient of $\eta/B$")
        lower.axhline(1.0, color=MUTED, linewidth=0.9, linestyle=":")
        lower.set_ylim(0.2, 200)
        lower.set_title(r"(b) the same over $L_\infty \sum_k \lambda_k / 2$")
        lower.set_ylabel("relative coefficient")
        for axes in (upper, lower):
            axes.set_xlabel(r"$\eta t$")
    return figure


def exact_figure(rows: Sequence[ExactRow]) -> Figure:
    """Draw the exact ratio of the losses at finite and infinite batch.

    Parameters
    ----------
    rows
        One per batch.

    Returns
    -------
    matplotlib.figure.Figure
        Lines: exact recursion. Dashed: ``1/(1 - s)``. Dotted: first order.
    """
    with book_style():
        figure = new_figure(4.4)
        axes = figure.subplots()
        for row, color in zip(rows, _COLORS, strict=False):
            axes.semilogx(row.step[1:], row.ratio[1:], color=color, label=f"$B = {row.batch:g}$")
            axes.axhline(row.limit, color=INK, linewidth=1.1, linestyle="--")
            axes.axhline(row.first_order, color=color, linewidth=1.4, linestyle=":")
        axes.plot([], [], "--", color=INK, linewidth=1.1, label=r"$1/(1-s)$")
        axes.plot([], [], ":", color=MUTED, linewidth=1.4, label="first order")
        axes.set_xlabel("steps")
        axes.set_ylabel(r"$L_B / L_\infty$")
        axes.legend(loc="upper right", ncols=2)
    return figure


def rich_figure(rows: Sequence[RichRow], simulation: Simulated) -> Figure:
    """Draw the relative excess of rich tasks, long runs and simulation.

    Parameters
    ----------
    rows
        Long runs.
    simulation
        Binned simulation.

    Returns
    -------
    matplotlib.figure.Figure
        (a) ``(B/eta) (L_B / L_inf - 1)`` with ``K sum_k lambda_k / 2`` dashed; (b) simulated excess with 95 % bars, theory
        dashed.
    """
    with book_style():
        figure = new_figure(8.2)
        upper, lower = figure.subplots(2, 1)
        for row, color in zip(rows, _COLORS, strict=False):
            if regime(row.alpha, row.beta) == "super-easy":
                continue  # there the noise outgrows the loss by many powers of ten
            name = rf"$\alpha = {row.alpha:g},\ \beta = {row.beta:g}$"
            upper.loglog(row.time, row.excess / row.noise, color=color, label=name)
            upper.loglog(row.time, row.predicted / row.noise, "--", color=color, linewidth=1.3)
        upper.plot([], [], "--", color=INK, linewidth=1.3, label=r"$K \sum_k \lambda_k / 2$")
        upper.set_ylabel(r"$(B/\eta)\,(L_B/L_\infty - 1)$")
        upper.set_title(r"(a) mean field, small $\eta/B$")
        upper.legend(loc="upper left")
        lower.errorbar(
            simulation.time,
            simulation.excess,
            NORMAL_95 * simulation.error,
            fmt="o",
            color=_COLORS[1],
            capsize=2,
            label="simulation",
        )
        lower.semilogx(simulation.time, simulation.theory, "--", color=INK, linewidth=1.4, label="mean field")
        lower.set_ylim(bottom=0)
        lower.set_xticks([1, 2, 5, 10, 20, 50], labels=["1", "2", "5", "10", "20", "50"])
        lower.set_xlim(simulation.time[0] / 1.2, simulation.time[-1] * 1.2)
        lower.xaxis.set_minor_formatter(NullFormatter())
        lower.set_ylabel(r"$L_B/L_\infty - 1$")
        lower.set_title("(b) simulation")
        lower.legend(loc="upper left")
        for axes in (upper, lower):
            axes.set_xlabel(r"$\eta t$")
    return figure
