"""Figure 2 and its companion, the edge of stability."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neural_scaling.figures.style import INK, MUTED, book_style, new_figure, richness_color, width_color
from neural_scaling.items.figure02 import EdgeRow, FinitePanel, InfinitePanel
from neural_scaling.spectra import Array
from neural_scaling.theory import chi


def infinite_figure(easy: InfinitePanel, hard: InfinitePanel) -> Figure:
    """Draw panels (a) and (b): loss against steps at N, B -> infinity for every richness.

    Parameters
    ----------
    easy, hard
        The two panels.

    Returns
    -------
    matplotlib.figure.Figure
        Unit steps as lines, the gradient-flow limit as dots, guides dashed; eta * steps on the upper axis.
    """
    with book_style():
        figure = new_figure(8.6)
        for axes, panel, letter in zip(figure.subplots(2, 1), (easy, hard), "ab", strict=True):
            for gamma, discrete, flow in zip(panel.gammas, panel.discrete, panel.flow, strict=True):
                step, loss = discrete.arrays["step"][1:], discrete.arrays["loss"][1:]
                axes.loglog(step, loss, color=richness_color(gamma), label=rf"$\gamma = {gamma:g}$")
                dots = slice(4, None, 9)
                axes.loglog(
                    flow.arrays["step"][1:][dots],
                    flow.arrays["loss"][1:][dots],
                    ".",
                    color=richness_color(gamma),
                    markersize=5,
                )
            _guide(
                axes, step, panel.discrete[0].arrays["loss"][1:], panel.beta, rf"$t^{{-{panel.beta:g}}}$", above=True
            )
            if panel.beta < 1:
                power = float(chi(panel.beta))
                _guide(axes, step, panel.discrete[-1].arrays["loss"][1:], power, rf"$t^{{-{power:.3f}}}$", above=False)
            kind = "hard" if panel.beta < 1 else "easy"
            axes.set_title(rf"({letter}) {kind} task, $\beta = {panel.beta:g}$, $N, B \to \infty$")
            axes.set_xlabel("steps $t$")
            axes.set_ylabel("loss")
            axes.legend(loc="lower left", ncols=2)
            upper = axes.secondary_xaxis("top", functions=_scaling(panel.eta))
            upper.set_xlabel(rf"$\eta t$  ($\eta = {panel.eta:g}$)", fontsize=11)
            axes.spines["top"].set_visible(True)
    return figure


def finite_figure(easy: FinitePanel, hard: FinitePanel) -> Figure:
    """Draw panels (c) and (d): simulated mean with band and theory, at every width.

    Parameters
    ----------
    easy, hard
        The two panels.

    Returns
    -------
    matplotlib.figure.Figure
        The band is one standard deviation over seeds either way; the theory is dashed.
    """
    with book_style():
        figure = new_figure(8.6)
        for axes, panel, letter in zip(figure.subplots(2, 1), (easy, hard), "cd", strict=True):
            for width, theory, simulation in zip(panel.widths, panel.theory, panel.simulation, strict=True):
                step = simulation.arrays["step"][1:]
                losses = simulation.arrays["loss"][:, 1:].astype(np.float64)
                mean, spread = losses.mean(axis=0), losses.std(axis=0, ddof=1)
                color = width_color(width)
                axes.loglog(step, mean, color=color, label=f"$N = {width}$")
                # On a logarithmic axis a band that reaches zero cannot be drawn: it is cut at a tenth of the mean.
                lower = np.maximum(mean - spread, 0.1 * mean)
                axes.fill_between(step, lower, mean + spread, color=color, alpha=0.2, linewidth=0)
                axes.loglog(theory.arrays["step"][1:], theory.arrays["loss"][1:], "--", color=INK, linewidth=1.3)
            power = float(chi(panel.beta))
            _guide(axes, step, theory.arrays["loss"][1:], power, rf"$t^{{-{power:.3g}}}$", above=False)
            kind = "hard" if panel.beta < 1 else "easy"
            axes.set_title(rf"({letter}) {kind} task, $\beta = {panel.beta:g}$, finite $N$")
            axes.set_xlabel("steps $t$")
            axes.set_ylabel("loss")
            handles = [*axes.get_legend_handles_labels()[0], Line2D([], [], color=INK, linestyle="--", linewidth=1.3)]
            labels = [*axes.get_legend_handles_labels()[1], "theory"]
            axes.legend(handles, labels, loc="lower left", ncols=2)
    return figure


def edge_figure(rows: Sequence[EdgeRow], beta: float, gamma: float) -> Figure:
    """Draw loss and sharpness of the hard task against eta * steps at several learning rates and one richness.

    Parameters
    ----------
    rows
        From :func:`neural_scaling.items.figure02.edge_of_stability`.
    beta
        Source.
    gamma
        Richness shown; rows of other richness are left out.

    Returns
    -------
    matplotlib.figure.Figure
        Crosses mark where the edge is reached; dashed are the rich and the lazy power.
    """
    shown = [row for row in rows if row.gamma == gamma]
    colors = ["#1a1a1a", "#0072b2", "#0d8577", "#c2410c", "#8e1a4f"]
    with book_style():
        figure = new_figure(8.6)
        upper, lower = figure.subplots(2, 1, sharex=True)
        for row, color in zip(shown, colors, strict=False):
            time = row.eta * row.step[1:]
            upper.loglog(time, row.loss[1:], color=color, label=rf"$\eta = {row.eta:g}$")
            lower.loglog(time, row.sharpness[1:], color=color)
            if row.edge < math.inf:
                at = int(np.searchsorted(row.step, row.edge))
                upper.plot(row.eta * row.edge, row.loss[at], "x", color=color, markersize=10, markeredgewidth=2.5)
                lower.plot(row.eta * row.edge, row.sharpness[at], "x", color=color, markersize=10, markeredgewidth=2.5)
        last = max(row.eta * row.step[-1] for row in shown)
        smallest = min(shown, key=lambda row: row.eta)
        anchor = smallest.loss[-1] * (smallest.eta * smallest.step[-1]) ** float(chi(beta))
        x = np.array([3.0, last])
        for power, scale, name in (
            (float(chi(beta)), 0.8 * anchor, r"$t^{-2\beta/(1+\beta)}$"),
            (beta, 2.2 * anchor, r"$t^{-\beta}$"),
        ):
            upper.loglog(x, scale * x**-power, "--", color=MUTED, linewidth=1.4)
            upper.annotate(name, (last, float(scale * last**-power)), (4, 0), textcoords="offset points", color=MUTED)
        # Spikes at the edge can exceed the first loss by far; they are cut here and said in the caption.
        upper.set_ylim(0.3 * min(row.loss.min() for row in shown), 2 * shown[0].loss[0])
        upper.set_ylabel("loss")
        upper.legend(loc="lower left")
        lower.axhline(2, color=MUTED, linestyle="--", linewidth=1.2)
        lower.annotate("edge of stability", (0.03, 2), (0, 4), textcoords="offset points", color=MUTED)
        lower.set_xlabel(r"$\eta t$")
        lower.set_ylabel(r"$\eta \times$ largest eigenvalue")
    return figure


def _guide(axes: Axes, step: Array, loss: Array, power: float, label: str, above: bool) -> None:
    """Draw a power law beside the last decade and a half of a curve."""
    x = np.array([step[-1] / 30, step[-1]])
    y = loss[-1] * (1.6 if above else 1 / 1.6) * (x / x[-1]) ** -power
    axes.loglog(x, y, "--", color=MUTED, linewidth=1.4)
    axes.annotate(
        label,
        (float(np.sqrt(x[0] * x[1])), float(np.sqrt(y[0] * y[1]))),
        (6, 8) if above else (-6, -18),
        textcoords="offset points",
        ha="left" if above else "right",
        color=MUTED,
    )


def _scaling(factor: float) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    return (lambda x: x * factor, lambda x: x / factor)
