"""The bottlenecks in width and data, the scales behind them, and training to the end at any richness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from neural_scaling.figures.style import INK, MUTED, book_style, new_figure, richness_color
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.items.bottleneck import Curve, EndRow, ScaleCurve

_COLORS = ("#0072b2", "#c2410c", "#0d8577", "#8e1a4f")


def bottleneck_figure(model: Sequence[Curve], data: Sequence[Curve]) -> Figure:
    """Draw both bottlenecks against N and P.

    Parameters
    ----------
    model, data
        One curve per source.

    Returns
    -------
    matplotlib.figure.Figure
        Circles with error bars: simulated mean. Lines: deterministic equivalent. Dotted: the printed sum.
    """
    with book_style():
        figure = new_figure(8.8)
        for axes, found, symbol, letter in zip(figure.subplots(2, 1), (model, data), "NP", "ab", strict=True):
            named: set[float] = set()
            for curve, color in zip(found, _COLORS, strict=False):
                axes.loglog(curve.fine, curve.limit, color=color, label=rf"$\beta = {curve.beta:g}$")
                axes.loglog(curve.fine, curve.printed, ":", color=color, linewidth=1.6)
                axes.errorbar(
                    curve.sizes,
                    curve.mean,
                    NORMAL_95 * curve.error,
                    fmt="o",
                    color=color,
                    markerfacecolor="white",
                    markersize=5,
                    capsize=2,
                    elinewidth=1.2,
                )
                if curve.corrected in named:
                    continue
                named.add(curve.corrected)
                end = int(0.62 * curve.fine.size)
                axes.annotate(
                    rf"${symbol}^{{-{curve.corrected:g}}}$",
                    (curve.fine[end], curve.limit[end]),
                    xytext=(4, 6),
                    textcoords="offset points",
                    color=color,
                )
            axes.set_xlabel(f"${symbol}$")
            axes.set_ylabel("loss at the end of training")
            what = "width $N$, fresh data" if symbol == "N" else "$P$ samples, infinite width"
            axes.set_title(f"({letter}) {what}")
            axes.plot([], [], ":", color=INK, linewidth=1.6, label="as printed")
            axes.legend(loc="lower left")
    return figure


def scale_figure(scales: Sequence[ScaleCurve], alpha: float) -> Figure:
    """Draw r_3 against N and r_1 against P.

    Parameters
    ----------
    scales
        For N and for P.
    alpha
        Capacity, the slope of the guide.

    Returns
    -------
    matplotlib.figure.Figure
        Symbols: trace of the inverse Gram matrix, divided by ``size^alpha``. Lines: the self-consistent equation for infinitely
        many modes and, dashed, for as many as the draws have.
    """
    with book_style():
        figure = new_figure(4.2)
        axes = figure.subplots()
        for curve, color, marker in zip(scales, _COLORS, "os", strict=False):
            symbol, name = ("P", "r_1") if curve.data else ("N", "r_3")
            unit = curve.sizes**alpha
            axes.errorbar(
                curve.sizes * (1.04 if curve.data else 0.96),
                curve.mean / unit,
                NORMAL_95 * curve.error / unit,
                fmt=marker,
                color=color,
                markerfacecolor="white",
                capsize=2,
                label=rf"${name} / {symbol}^\alpha$, draws",
            )
        curve = scales[0]
        axes.semilogx(curve.fine, curve.limit / curve.fine**alpha, color=INK, label=r"theory, $M = \infty$")
        axes.semilogx(curve.sizes, curve.theory / curve.sizes**alpha, "--", color=INK, label="theory, $M$ of the draws")
        axes.set_xlabel("$N$ or $P$")
        axes.set_ylabel(r"scale over size$^\alpha$")
        axes.legend(loc="best")
    return figure


def end_figure(rows: Sequence[EndRow]) -> Figure:
    """Draw the distance of the loss from its limit for every richness.

    Parameters
    ----------
    rows
        Trained models.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels, population and samples.
    """
    with book_style():
        figure = new_figure(4.4)
        panels = figure.subplots(1, 2, sharey=True)
        titles = ("(a) population", "(b) $P$ samples")
        for axes, data, title in zip(panels, (False, True), titles, strict=True):
            for row in rows:
                if row.data == data:
                    gap = np.maximum(np.abs(row.loss / row.floor - 1), 1e-16)
                    axes.loglog(row.step, gap, color=richness_color(row.gamma), label=rf"$\gamma = {row.gamma:g}$")
            axes.axhline(1e-13, color=MUTED, linewidth=0.9, linestyle=":")
            axes.set_xlabel("steps")
            axes.set_title(title)
        panels[0].set_ylabel("|loss / limit − 1|")
        panels[0].legend(loc="lower left")
    return figure
