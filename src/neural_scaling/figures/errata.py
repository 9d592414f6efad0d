"""Figure of the errata page: four matters of substance, as printed and as corrected."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neural_scaling.figures.style import INK, MUTED, RICH, WIDTH, book_style, new_figure
from neural_scaling.items.errata import Curves
from neural_scaling.spectra import Array

PRINTED: dict[str, Any] = {"color": MUTED, "linestyle": (0, (4, 2)), "linewidth": 1.8}
CORRECTED: dict[str, Any] = {"color": RICH, "linewidth": 1.8, "linestyle": (0, (1, 1.2))}


def draw(curves: Curves, alpha: float) -> Figure:
    """Draw the four comparisons.

    Parameters
    ----------
    curves
        From :func:`neural_scaling.items.errata.curves`.
    alpha
        Capacity.

    Returns
    -------
    matplotlib.figure.Figure
        Bottleneck, finite-N transient, SGD term, share of the spike.
    """
    with book_style():
        figure = new_figure(7.6, WIDTH)
        panels = figure.subplot_mosaic([["a", "b"], ["c", "d"]])
        _floor(panels["a"], curves)
        powers = {beta: (1 / alpha - 1, 1 / alpha - min(1.0, beta)) for beta in curves.transients}
        _powers(panels["b"], curves.time, curves.transients, powers)
        panels["b"].set(title="(b) finite-$N$ transient", ylabel="coefficient of $1/N$")
        edge = 2 - 1 / alpha
        powers = {beta: (-edge, -min(beta, edge)) for beta in curves.noises}
        _powers(panels["c"], curves.time, curves.noises, powers)
        panels["c"].set(title="(c) SGD term", ylabel=r"coefficient of $\eta/B$")
        _spikes(panels["d"], curves)
    return figure


def _floor(axes: Axes, curves: Curves) -> None:
    axes.loglog(curves.widths, curves.floor_printed, label="eq. 76, printed", **PRINTED)
    axes.loglog(curves.widths, curves.floor_corrected, label="corrected", **CORRECTED)
    style: dict[str, Any] = {"fmt": "o", "color": INK, "markerfacecolor": "white", "markeredgewidth": 1.6}
    axes.errorbar(curves.widths, curves.floors, curves.floor_errors, label="projections", **style)
    axes.set(title=r"(a) bottleneck", xlabel="$N$", ylabel=r"$L(t\to\infty)$")
    axes.set_xticks(curves.widths, [f"{width:g}" for width in curves.widths])
    axes.minorticks_off()
    axes.legend(loc="lower left")


def _powers(axes: Axes, time: Array, values: dict[float, Array], powers: dict[float, tuple[float, float]]) -> None:
    late = time >= 30
    for index, (beta, curve) in enumerate(values.items()):
        axes.loglog(time, curve, color=INK, linewidth=1.6)
        # The first label stands above its curve, clear of it whether it rises or falls, the second below.
        middle, left = time.size // 2, index > 0 or curve[-1] > curve[0]
        axes.annotate(
            rf"$\beta={beta:g}$",
            (time[middle], curve[middle]),
            xytext=(-12 if left else 6, -16 if index > 0 else 6),
            textcoords="offset points",
            ha="right" if left else "left",
            fontsize=12,
        )
        printed, corrected = powers[beta]
        # Guides start where the asymptotic power should hold, the printed one only where it differs.
        start = curve[late][-1] * (time[late] / time[-1]) ** corrected
        axes.loglog(time[late], 0.72 * start, **CORRECTED)
        if abs(printed - corrected) > 1e-9:
            axes.loglog(time[late], curve[late][0] * (time[late] / time[late][0]) ** printed, **PRINTED)
    axes.set_xlabel(r"$\eta t$")


def _spikes(axes: Axes, curves: Curves) -> None:
    for (beta, (time, ratio)), marker in zip(curves.spikes.items(), "so", strict=False):
        axes.semilogx(time, ratio, marker + "-", color=INK, markerfacecolor="white", label=rf"$\beta={beta:g}$")
    axes.axhline(0.0, label="printed limit", **PRINTED)
    top = max(float(np.max(ratio)) for _, ratio in curves.spikes.values())
    axes.set(title="(d) spike over scale", xlabel=r"$\eta t$", ylabel="ratio in eq. 53", ylim=(-0.03, 1.35 * top))
    axes.legend(loc="upper right")
