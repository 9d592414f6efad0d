"""Figure 1: the exponent of the loss in time, and the phases in the plane of source and capacity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from neural_scaling.figures.style import INK, LAZY, MUTED, RICH, WIDTH, book_style, new_figure
from neural_scaling.items.figure01 import ExponentRow
from neural_scaling.theory import phases, super_easy_boundary

FloatArray = NDArray[np.float64]

HARD, EASY, SUPER = "#f6e3d3", "#dbe9f6", "#dff0e2"
SOURCE_RANGE = (0.0, 2.3)


def draw(
    beta: FloatArray,
    lazy: FloatArray,
    rich: FloatArray,
    rows: Sequence[ExponentRow],
    largest_capacity: float = 4.0,
) -> Figure:
    """Draw Figure 1.

    Parameters
    ----------
    beta
        Sources of the curves in (a), shape (P,).
    lazy, rich
        chi of the lazy limit and with feature learning, shape (P,).
    rows
        Measured exponents. Those at very late times are shown as circles, those at early times as crosses where
        gamma > 0.
    largest_capacity
        Upper end of the axis of alpha in (b) and (c).

    Returns
    -------
    matplotlib.figure.Figure
        Panels (a), (b), (c).
    """
    with book_style():
        figure = new_figure(8.4, WIDTH)
        panels = figure.subplot_mosaic([["a", "a"], ["b", "c"]], height_ratios=[1.0, 1.2])
        _exponents(panels["a"], beta, lazy, rich, rows)
        _phases(panels["b"], False, largest_capacity)
        _phases(panels["c"], True, largest_capacity)
        panels["a"].set_title(r"(a) $L(t)\sim t^{-\chi(\beta)}$ for $N, B\to\infty$")
        panels["b"].set_title(r"(b) lazy, $\gamma\to 0$")
        panels["c"].set_title(r"(c) rich, $\gamma>0$")
        panels["b"].set_ylabel(r"capacity $\alpha$")
        panels["c"].tick_params(labelleft=False)
    return figure


def _exponents(axes: Axes, beta: FloatArray, lazy: FloatArray, rich: FloatArray, rows: Sequence[ExponentRow]) -> None:
    axes.plot(beta, rich, color=RICH, label=r"rich: $\beta\,\max(1, \frac{2}{1+\beta})$")
    axes.plot(beta, lazy, color=LAZY, linestyle=(0, (5, 2)), label=r"lazy: $\beta$")
    hollow: dict[str, Any] = {"marker": "o", "linestyle": "", "markerfacecolor": "white", "markeredgewidth": 1.6}
    for row in rows:
        axes.plot(row.beta, row.late.exponent, color=RICH if row.rich else LAZY, **hollow)
        if row.rich:
            axes.plot(row.beta, row.early.exponent, "x", color=MUTED, markeredgewidth=1.8)
    if rows:
        first, last = (round(math.log10(end)) for end in rows[0].early.window)
        axes.plot([], [], color=MUTED, label="integrated, late", **hollow)
        early = rf"integrated, $10^{{{first}}}<\eta t<10^{{{last}}}$"
        axes.plot([], [], "x", color=MUTED, markeredgewidth=1.8, label=early)
    axes.axvline(1.0, color=MUTED, linewidth=0.9, linestyle=":")
    axes.text(0.985, 0.03, "hard", ha="right", color=MUTED)
    axes.text(1.015, 0.03, "easy", ha="left", color=MUTED)
    axes.set(xlim=(0, 1.23), ylim=(0, 1.28), xlabel=r"source $\beta$", ylabel=r"exponent $\chi$")
    axes.legend(loc="upper left")


def _phases(axes: Axes, rich: bool, largest: float) -> None:
    alpha = np.linspace(1.0, largest, 200)
    boundary = super_easy_boundary(alpha)
    left, right = SOURCE_RANGE
    axes.fill_betweenx(alpha, left, 1.0, color=HARD, linewidth=0)
    axes.fill_betweenx(alpha, 1.0, boundary, color=EASY, linewidth=0)
    axes.fill_betweenx(alpha, boundary, right, color=SUPER, linewidth=0)
    axes.plot(np.ones(2), [1.0, largest], color=INK, linewidth=1.4)
    axes.plot(boundary, alpha, color=INK, linewidth=1.4)
    span = largest - 1.0
    region = phases(rich)
    places = {"hard": (0.5, 0.5), "easy": (1.335, 0.73), "super-easy": (1.86, 0.16)}
    for part in region.values():
        x, height = places[part.regime]
        _label(axes, x, 1.0 + height * span, part.early_label, part.late_label)
    for x, title in ((0.5, "hard"), (1.335, "easy†"), (2.02, "super-\neasy")):
        axes.text(x, largest - 0.05 * span, title, ha="center", va="top", fontweight="bold", linespacing=0.95)
    axes.text(1.62, 1.0 + 0.46 * span, r"$\beta=2-\frac{1}{\alpha}$", fontsize=12, color=MUTED)
    axes.set(xlim=SOURCE_RANGE, ylim=(1.0, largest), xlabel=r"source $\beta$", xticks=[0, 0.5, 1, 1.5, 2])
    for side in ("top", "right"):
        axes.spines[side].set_visible(True)


def _label(axes: Axes, x: float, y: float, early: str, late: str) -> None:
    for text, points, anchor in ((early, 9, "bottom"), (r"\downarrow", 0, "center"), (late, -9, "top")):
        axes.annotate(
            f"${text}$",
            (x, y),
            xytext=(0, points),
            textcoords="offset points",
            ha="center",
            va=anchor,
            fontsize=12,
        )
