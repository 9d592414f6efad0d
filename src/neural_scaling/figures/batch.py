"""Small batches: the excess over infinite batch, the error of the theories against B, the spread over seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neural_scaling.figures.style import INK, MUTED, RICH, book_style, new_figure
from neural_scaling.items.batch import BatchCurves, ErrorRow

# Dark to light, small batch to large; every one keeps 3 to 1 against white.
_COLORS = ("#2d1160", "#8c2981", "#c8406b", "#d9622b", "#8a8600", "#3d8a5f")


def excess_figure(found: Sequence[Sequence[BatchCurves]]) -> Figure:
    """Draw the loss over that at infinite batch against steps, one panel per richness.

    Parameters
    ----------
    found
        For every richness the curves at every batch.

    Returns
    -------
    matplotlib.figure.Figure
        Dots: simulation with two standard errors. Dashed: the paper's theory. Lines: with fourth moments.
    """
    with book_style():
        figure = new_figure(8.6)
        panels = np.atleast_1d(figure.subplots(len(found), 1, sharex=True))
        for axes, batches in zip(panels, found, strict=True):
            for color, one in zip(_COLORS, batches, strict=False):
                axes.errorbar(
                    one.step,
                    one.excess - 1,
                    2 * one.excess_error,
                    fmt="o",
                    markersize=3.5,
                    elinewidth=0.9,
                    color=color,
                    label=f"$B = {one.batch}$",
                )
                axes.plot(one.step, one.ours - 1, color=color, linewidth=1.5)
                axes.plot(one.step, one.paper - 1, "--", color=color, linewidth=1.3)
            axes.set_xscale("log")
            axes.set_yscale("log")
            top = max(float(np.max(one.ours)) for one in batches) - 1
            axes.set_ylim(3e-3, 4 * top)
            axes.set_title(rf"$\gamma = {batches[0].gamma:g}$")
            axes.set_ylabel(r"$L_B / L_\infty - 1$")
        panels[-1].set_xlabel("steps $t$")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside upper center", ncols=len(labels), columnspacing=1.2, handletextpad=0.2
        )
        lines = [Line2D([], [], color=INK, linestyle=style, linewidth=1.4) for style in ("--", "-")]
        figure.legend(lines, ["paper", "with fourth moment"], loc="outside lower center", ncols=2)
    return figure


def error_figure(rows: Sequence[Sequence[ErrorRow]]) -> Figure:
    """Draw the relative error of both theories against B, one panel per richness.

    Parameters
    ----------
    rows
        For every richness the rows at every batch.

    Returns
    -------
    matplotlib.figure.Figure
        Absolute values with two standard errors of the simulation; grey: the error of the simulation itself. A batch at which the
        mean is not measured is left out.
    """
    with book_style():
        figure = new_figure(4.4)
        panels = np.atleast_1d(figure.subplots(1, len(rows), sharex=True, sharey=True))
        for axes, every in zip(panels, rows, strict=True):
            batches = [row for row in every if row.measured]
            x = np.array([row.batch for row in batches], dtype=np.float64)
            noise = np.array([2 * row.standard_error / row.excess for row in batches])
            axes.fill_between(x, 1e-5, noise, color=MUTED, alpha=0.25, linewidth=0, label="error of simulation")
            for values, color, marker, label in (
                ([abs(row.paper_error) for row in batches], INK, "s", "paper"),
                ([abs(row.our_error) for row in batches], RICH, "o", "with fourth moment"),
            ):
                axes.errorbar(x, values, noise, fmt=f"{marker}-", color=color, elinewidth=1.0, label=label)
            last = abs(batches[-1].paper_error)
            axes.plot(x, 1.7 * last * x[-1] / x, ":", color=MUTED, linewidth=1.6, label="$1/B$")
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            axes.set_title(rf"$\gamma = {every[0].gamma:g}$")
            axes.set_xlabel("batch $B$")
        panels[0].set_ylim(1e-3, 1.0)
        panels[0].set_ylabel("relative error")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def spread_figure(found: Sequence[BatchCurves]) -> Figure:
    """Draw mean, median, spread and single runs at one batch, one panel per richness.

    Parameters
    ----------
    found
        Curves at one batch for every richness.

    Returns
    -------
    matplotlib.figure.Figure
        Band: 16th to 84th percentile. Thin: single seeds. Black: theories, the paper's dashed.
    """
    with book_style():
        figure = new_figure(8.2)
        panels = np.atleast_1d(figure.subplots(len(found), 1, sharex=True))
        for axes, one in zip(panels, found, strict=True):
            arrays = {name: values[1:] for name, values in one.simulation.arrays.items() if values.ndim == 1}
            axes.fill_between(
                one.step, arrays["low"], arrays["high"], color=_COLORS[1], alpha=0.2, linewidth=0, label="16 to 84 %"
            )
            for curve in one.simulation.arrays["first"][:, 1:]:
                axes.plot(one.step, curve, color=MUTED, linewidth=0.6)
            axes.plot(one.step, arrays["median"], color=_COLORS[1], label="median")
            axes.errorbar(
                one.step,
                arrays["mean"],
                2 * arrays["error"],
                fmt="o",
                markersize=4,
                elinewidth=1.0,
                color=RICH,
                label="mean",
            )
            axes.plot(one.step, one.paper_loss, "--", color=INK, linewidth=1.4, label="paper")
            axes.plot(one.step, one.our_loss, color=INK, linewidth=1.4, label="with fourth moment")
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_title(rf"$B = {one.batch}$, $\gamma = {one.gamma:g}$")
            axes.set_ylabel("loss")
            axes.set_ylim(0.4 * float(arrays["low"].min()), 3 * float(one.our_loss[0]))
        panels[-1].set_xlabel("steps $t$")
        panels[0].legend(loc="lower left", ncols=2)
    return figure
