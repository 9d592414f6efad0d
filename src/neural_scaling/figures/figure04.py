"""Figure 4 and its companions: the optimal allocation, and the approach of the frontier to its exponents."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neural_scaling.figures.style import INK, MUTED, book_style, new_figure, width_color
from neural_scaling.fits import ComputeFrontier, local_slope
from neural_scaling.items.figure04 import Curve, FrontierRow, Panel, compute_grid, simulated_frontier, theory_frontier
from neural_scaling.theory import compute_optimum

#: One colour and marker per regime.
_TASKS = {"hard": ("#0072b2", "o"), "easy": ("#0d8577", "s"), "super-easy": ("#c2410c", "^")}


def loss_figure(panels: Sequence[Panel], first: float = 100.0) -> Figure:
    """Draw loss against compute: simulated mean with band and theory, one curve per width, and the guides.

    Parameters
    ----------
    panels
        The tasks.
    first
        Smallest compute shown.

    Returns
    -------
    matplotlib.figure.Figure
        The band is one standard deviation over seeds either way; the theory is dashed.
    """
    with book_style():
        figure = new_figure(4.3 * len(panels))
        for axes, panel, letter in zip(np.atleast_1d(figure.subplots(len(panels), 1)), panels, "abc", strict=False):
            for width, simulation in zip(panel.widths, panel.simulation, strict=True):
                step = simulation.arrays["step"][1:]
                losses = simulation.arrays["loss"][:, 1:].astype(np.float64)
                mean, spread = losses.mean(axis=0), losses.std(axis=0, ddof=1)
                color, octave = width_color(width), math.log2(width)
                # Every second octave is named, or every octave where there are few.
                every = 2 if len(panel.widths) > 8 else 1
                named = octave == int(octave) and int(octave - 3) % every == 0
                axes.loglog(width * step, mean, color=color, linewidth=1.4, label=f"$N = {width}$" if named else None)
                # On a logarithmic axis a band that reaches zero cannot be drawn: it is cut at a tenth of the mean.
                lower = np.maximum(mean - spread, 0.1 * mean)
                axes.fill_between(width * step, lower, mean + spread, color=color, alpha=0.2, linewidth=0)
            for theory in panel.theory:
                axes.loglog(theory.width * theory.step, theory.loss, "--", color=INK, linewidth=0.9)
            grid = compute_grid(first, 0.99 * panel.compute)
            front = simulated_frontier(panel, grid)
            axes.set_xlim(first, 1.1 * panel.compute)
            axes.set_ylim(0.35 * front.loss.min(), 2.5 * front.loss.max())
            _guides(axes, panel, front)
            axes.set_title(rf"({letter}) {panel.regime} task, $\beta = {panel.beta:g}$")
            axes.set_xlabel("compute $C = N t$")
            axes.set_ylabel("loss")
            handles, labels = axes.get_legend_handles_labels()
            handles.append(Line2D([], [], color=INK, linestyle="--", linewidth=0.9))
            axes.legend(handles, [*labels, "theory"], loc="lower left", ncols=2, fontsize=11)
    return figure


def allocation_figure(panels: Sequence[Panel]) -> Figure:
    """Draw the optimal width and the optimal number of steps against compute.

    Parameters
    ----------
    panels
        The tasks.

    Returns
    -------
    matplotlib.figure.Figure
        Markers: simulation. Lines: theory. Dashed: the powers of Table 1.
    """
    with book_style():
        figure = new_figure(8.6)
        upper, lower = figure.subplots(2, 1, sharex=True)
        for panel in panels:
            color, marker = _TASKS[panel.regime]
            front = theory_frontier(panel.long, compute_grid(300.0, 0.99 * panel.compute_theory))
            seen = simulated_frontier(panel, compute_grid(300.0, 0.99 * panel.compute))
            a = compute_optimum(panel.alpha, panel.beta, panel.gamma > 0).a
            for axes, quantity, power in ((upper, "width", a), (lower, "time", 1 - a)):
                label = rf"{panel.regime}, $\beta = {panel.beta:g}$"
                line, points = getattr(front, quantity), getattr(seen, quantity)
                axes.loglog(front.compute[front.interior], line[front.interior], color=color, label=label)
                dots = np.flatnonzero(seen.interior)[::3]
                axes.loglog(seen.compute[dots], points[dots], marker, color=color, markersize=5)
                x = np.array([front.compute[-1] / 1e3, front.compute[-1]])
                end = line[front.interior][-1] * 1.35
                axes.loglog(x, end * (x / front.compute[front.interior][-1]) ** power, "--", color=MUTED, linewidth=1.3)
        upper.set_ylabel("optimal width $N^*$")
        lower.set_ylabel("optimal steps $t^*$")
        lower.set_xlabel("compute $C = N t$")
        upper.legend(loc="upper left")
    return figure


def slope_figure(panels: Sequence[Panel], rows: Sequence[FrontierRow]) -> Figure:
    """Draw the local exponents of the frontier of the theory against compute, and the fits to the simulations.

    Parameters
    ----------
    panels
        The tasks.
    rows
        Fits to the simulations, one per task.

    Returns
    -------
    matplotlib.figure.Figure
        Lines: theory at the batch of the panel; dash-dotted: at that of its row of Table 1; dashed: Table 1. Markers:
        fits to the simulations in their windows, with their 95 % intervals.
    """
    with book_style():
        figure = new_figure(8.6)
        upper, lower = figure.subplots(2, 1, sharex=True)
        for panel, row in zip(panels, rows, strict=True):
            color, marker = _TASKS[panel.regime]
            cases: list[tuple[Sequence[Curve], float, str]] = [(panel.long, panel.batch, "-")]
            if panel.batch_limit != panel.batch:
                cases.append((panel.limit, panel.batch_limit, "-."))
            for curves, batch, style in cases:
                front = theory_frontier(curves, compute_grid(300.0, 0.99 * panel.compute_theory))
                kept = front.interior
                name = r"\infty" if math.isinf(batch) else f"{batch:g}"
                for axes, values, sign in ((upper, front.loss, 1), (lower, front.width, -1)):
                    slopes = local_slope(front.compute[kept], values[kept], width=1.0)
                    label = rf"{panel.regime}, $B = {name}$"
                    axes.semilogx(slopes.t, sign * slopes.exponent, style, color=color, linewidth=1.6, label=label)
            middle = math.sqrt(row.window[0] * row.window[1])
            for axes, predicted, measured, interval in (
                (upper, row.predicted_r, row.r, row.r_interval),
                (lower, row.predicted_a, row.a, row.a_interval),
            ):
                axes.axhline(predicted, color=color, linestyle="--", linewidth=1.1)
                axes.plot(row.window, [measured, measured], color=color, linewidth=1.0)
                error = [[measured - interval[0]], [interval[1] - measured]]
                axes.errorbar(middle, measured, error, fmt=marker, color=color, capsize=4, markersize=6)
        upper.set_ylabel("exponent $r$ of the loss")
        lower.set_ylabel("exponent $a$ of the width")
        lower.set_xlabel("compute $C = N t$")
        upper.legend(loc="center right", fontsize=10)
    return figure


def _guides(axes: Axes, panel: Panel, front: ComputeFrontier) -> None:
    """Draw the paper's powers below the last decades of the frontier."""
    rich = panel.gamma > 0
    powers = [(compute_optimum(panel.alpha, panel.beta, rich).r, "")]
    if panel.regime == "super-easy":
        powers.insert(0, (compute_optimum(panel.alpha, panel.beta, rich, finite_batch=False).r, " (no SGD noise)"))
    x = np.array([max(front.compute[0], front.compute[-1] / 10**2.5), front.compute[-1]])
    start = math.exp(float(np.interp(math.log(x[0]), np.log(front.compute), np.log(front.loss))))
    # The power of Table 1 lies below the frontier, any other below that.
    for number, (power, note) in enumerate(reversed(powers)):
        y = start / 1.5 / 3.0**number * (x / x[0]) ** -power
        axes.loglog(x, y, ":" if number else "--", color=MUTED, linewidth=1.6)
        share = 0.75 if number else 0.5
        place = float(x[0] ** (1 - share) * x[1] ** share), float(y[0] ** (1 - share) * y[1] ** share)
        axes.annotate(
            rf"$C^{{-{power:.3g}}}${note}",
            place,
            (-6, -6),
            textcoords="offset points",
            ha="right",
            va="top",
            color=MUTED,
        )
